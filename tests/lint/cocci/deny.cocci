// SPDX-License-Identifier: LGPL-2.1-or-later
/// A refusal is an error: a sentence with 0, or an errno that is not negative, would let the command pass.
virtual report

@ passed @
expression info, sentence;
constant c;
position p;
@@
 refuse@p(info, c, sentence)

@ script:python depends on report @
p << passed.p;
c << passed.c;
@@
if not str(c).startswith("-"):
    coccilib.report.print_report(p[0], "refuse() with %s" % c)

@ dropped @
expression list args;
identifier question =~ "^(callgate_check|callgate_check_quiet|callgate_deny|callgate_ask|ask_or_check)$";
position p;
@@
 question@p(args);

@ script:python depends on report @
p << dropped.p;
question << dropped.question;
@@
coccilib.report.print_report(p[0], "nobody looks at the answer of %s()" % question)
