// SPDX-License-Identifier: LGPL-2.1-or-later
/// What is asked at every frame takes no mutex, sleeps nowhere and allocates nothing.
virtual report

@ slow @
identifier path =~ "^(callgate_check|callgate_check_quiet|callgate_deny|callgate_grant_find|find_in|callgate_subject_current|callgate_who_current|callgate_rule_covers|callgate_report_denied|callgate_stream_start|callgate_stream_stop|callgate_stream_allowed|covered|counted|refuse_caller)$";
identifier bad =~ "^(mutex_lock.*|down_.*|kmalloc|kzalloc|kcalloc|kvmalloc|kmemdup|kstrdup|schedule.*|msleep|might_sleep|synchronize_rcu.*|flush_work|cancel_work_sync|wait_event.*|wait_for_completion|copy_from_user|copy_to_user|get_user|vfs_getattr)$";
position p;
@@
 path(...) {
 <...
 bad@p(...)
 ...>
 }

@ script:python depends on report @
p << slow.p;
bad << slow.bad;
path << slow.path;
@@
coccilib.report.print_report(p[0], "%s() in %s(), which runs in any context" % (bad, path))
