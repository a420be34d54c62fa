// SPDX-License-Identifier: LGPL-2.1-or-later
/// Whoever enters an interposed operation leaves it on every path, or unloading waits for ever.
virtual report

@ entered exists @
expression gate, ret;
position p;
@@
 gate = callgate_v4l2_enter(...)
 ... when != callgate_v4l2_leave(gate)
 return@p ret;

@ script:python depends on report @
p << entered.p;
@@
coccilib.report.print_report(p[0], "an operation returns without callgate_v4l2_leave()")

@ counted exists @
expression ret;
position p;
@@
 callgate_enter();
 ... when != callgate_leave()
 return@p ret;

@ script:python depends on report @
p << counted.p;
@@
# The function that enters for the others.
if p[0].current_element != "callgate_v4l2_enter":
    coccilib.report.print_report(p[0], "an operation returns without callgate_leave()")
