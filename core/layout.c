/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include "cast.h"
#include "cgroup_backend.h"
#include "keep_arena.h"
#include "monitor.h"
#include "plan.h"
#include "resume.h"
#include "session_kept.h"

#include <string.h>

static uint32_t mix(uint32_t digest, const void *data, size_t size)
{
	const unsigned char *at = data;
	for (size_t i = 0; i < size; i++)
		digest = (digest ^ at[i]) * UINT32_C(16777619); /* FNV-1a */
	return digest;
}

static uint32_t mix_number(uint32_t digest, uint64_t number)
{
	return mix(digest, &number, sizeof(number));
}

uint32_t layout_digest(uint32_t before, const struct layout *layout)
{
	uint32_t digest = before ^ UINT32_C(2166136261);
	for (size_t i = 0; i < layout->count; i++) {
		const struct layout_row *row = &layout->rows[i];
		digest = mix(digest, row->name, strlen(row->name) + 1);
		digest = mix_number(digest, row->offset);
		digest = mix_number(digest, row->size);
	}
	return digest;
}

#define TYPE LAYOUT_TYPE
#define FIELD LAYOUT_FIELD
#define VALUE LAYOUT_VALUE

/* clang-format off */
static const struct layout_row rows[] = {
	TYPE(struct keep_request),
	FIELD(struct keep_request, result), FIELD(struct keep_request, starting),
	FIELD(struct keep_request, says), FIELD(struct keep_request, final),
	FIELD(struct keep_request, opened),
	TYPE(struct keep_head),
	FIELD(struct keep_head, version), FIELD(struct keep_head, active),
	FIELD(struct keep_head, tail), FIELD(struct keep_head, making),
	TYPE(struct keep_slot),
	FIELD(struct keep_slot, id), FIELD(struct keep_slot, offset), FIELD(struct keep_slot, kind),
	FIELD(struct keep_slot, part),
	TYPE(struct keep_entry),
	FIELD(struct keep_entry, kind), FIELD(struct keep_entry, part),
	FIELD(struct keep_entry, id), FIELD(struct keep_entry, size),
	FIELD(struct keep_entry, dropped),
	TYPE(struct keep_passed),
	FIELD(struct keep_passed, version), FIELD(struct keep_passed, memory),
	FIELD(struct keep_passed, size), FIELD(struct keep_passed, count),
	TYPE(struct keep_passed_descriptor),
	FIELD(struct keep_passed_descriptor, id), FIELD(struct keep_passed_descriptor, part),
	FIELD(struct keep_passed_descriptor, fd),
	TYPE(struct kept_box),
	FIELD(struct kept_box, last_id), FIELD(struct kept_box, last_group),
	FIELD(struct kept_box, last_identity), FIELD(struct kept_box, starts),
	FIELD(struct kept_box, failed_starts), FIELD(struct kept_box, pool_hits),
	FIELD(struct kept_box, pool_misses), FIELD(struct kept_box, bytes_in),
	FIELD(struct kept_box, bytes_out),
	TYPE(struct kept_session),
	FIELD(struct kept_session, name), FIELD(struct kept_session, uid),
	FIELD(struct kept_session, run_uid), FIELD(struct kept_session, gid),
	FIELD(struct kept_session, run_gid), FIELD(struct kept_session, removed),
	FIELD(struct kept_session, exec_seen), FIELD(struct kept_session, status_told),
	FIELD(struct kept_session, gone), FIELD(struct kept_session, has_cgroup),
	FIELD(struct kept_session, live), FIELD(struct kept_session, accounted),
	FIELD(struct kept_session, kept), FIELD(struct kept_session, favoured),
	FIELD(struct kept_session, sealed_timeline), FIELD(struct kept_session, stuck),
	FIELD(struct kept_session, state),
	FIELD(struct kept_session, start_result), FIELD(struct kept_session, reason),
	FIELD(struct kept_session, status), FIELD(struct kept_session, landlock_abi),
	FIELD(struct kept_session, kill_stage), FIELD(struct kept_session, failure),
	FIELD(struct kept_session, created), FIELD(struct kept_session, changed),
	FIELD(struct kept_session, started), FIELD(struct kept_session, ended),
	FIELD(struct kept_session, start_begun), FIELD(struct kept_session, begun),
	FIELD(struct kept_session, held), FIELD(struct kept_session, rows),
	FIELD(struct kept_session, cols), FIELD(struct kept_session, first_rows),
	FIELD(struct kept_session, first_cols), FIELD(struct kept_session, first_mark),
	FIELD(struct kept_session, marks), FIELD(struct kept_session, init),
	FIELD(struct kept_session, pid), FIELD(struct kept_session, shape),
	FIELD(struct kept_session, limits), FIELD(struct kept_session, group),
	FIELD(struct kept_session, usage), FIELD(struct kept_session, timeout_due),
	FIELD(struct kept_session, kill_due),
	TYPE(struct kept_stream),
	FIELD(struct kept_stream, start), FIELD(struct kept_stream, end),
	FIELD(struct kept_stream, punched), FIELD(struct kept_stream, retain),
	FIELD(struct kept_stream, last_output), FIELD(struct kept_stream, held),
	FIELD(struct kept_stream, held_size), FIELD(struct kept_stream, held_room),
	FIELD(struct kept_stream, has_spool), FIELD(struct kept_stream, ended),
	FIELD(struct kept_stream, open), FIELD(struct kept_stream, overflow),
	FIELD(struct kept_stream, modes),
	TYPE(struct kept_typing),
	FIELD(struct kept_typing, collected), FIELD(struct kept_typing, left_key),
	FIELD(struct kept_typing, left), FIELD(struct kept_typing, closed),
	TYPE(struct monitor_page),
	FIELD(struct monitor_page, out), FIELD(struct monitor_page, in),
	FIELD(struct monitor_page, size), FIELD(struct monitor_page, ended),
	FIELD(struct monitor_page, status),
	TYPE(struct ring_shared),
	FIELD(struct ring_shared, written), FIELD(struct ring_shared, taken),
	FIELD(struct ring_shared, ring_at), FIELD(struct ring_shared, full),
	FIELD(struct ring_shared, ended), FIELD(struct ring_shared, untidy),
	TYPE(struct input_shared),
	FIELD(struct input_shared, state), FIELD(struct input_shared, key),
	FIELD(struct input_shared, base), FIELD(struct input_shared, count),
	FIELD(struct input_shared, passed), FIELD(struct input_shared, wants_room),
	FIELD(struct input_shared, dropped), FIELD(struct input_shared, ends_asked),
	FIELD(struct input_shared, ends_passed), FIELD(struct input_shared, ends),
	TYPE(struct input_end),
	FIELD(struct input_end, at), FIELD(struct input_end, key),
	TYPE(struct sandbox_shape),
	FIELD(struct sandbox_shape, uid), FIELD(struct sandbox_shape, gid),
	FIELD(struct sandbox_shape, own_network), FIELD(struct sandbox_shape, terminal),
	FIELD(struct sandbox_shape, ends_with_command), FIELD(struct sandbox_shape, tmp_size),
	FIELD(struct sandbox_shape, tmp_inodes), FIELD(struct sandbox_shape, sealed),
	FIELD(struct sandbox_shape, filter), FIELD(struct sandbox_shape, landlock),
	TYPE(struct sysfilter_options),
	FIELD(struct sysfilter_options, profile), FIELD(struct sysfilter_options, fork),
	FIELD(struct sysfilter_options, tcp_only),
	TYPE(struct cgroup_limits),
	FIELD(struct cgroup_limits, memory), FIELD(struct cgroup_limits, processes),
	FIELD(struct cgroup_limits, cpu_milli),
	TYPE(struct cgroup_usage),
	FIELD(struct cgroup_usage, memory), FIELD(struct cgroup_usage, memory_peak),
	FIELD(struct cgroup_usage, processes), FIELD(struct cgroup_usage, cpu_ns),
	FIELD(struct cgroup_usage, oom_kills), FIELD(struct cgroup_usage, refused_forks),
	TYPE(struct cgroups_kept),
	FIELD(struct cgroups_kept, can), FIELD(struct cgroups_kept, version),
	FIELD(struct cgroups_kept, emptied),
	TYPE(struct modes),
	FIELD(struct modes, sequence), FIELD(struct modes, alternate), FIELD(struct modes, known),
	FIELD(struct modes, on), FIELD(struct modes, keypad), FIELD(struct modes, charsets),
	FIELD(struct modes, top), FIELD(struct modes, bottom),
	TYPE(struct sequence),
	FIELD(struct sequence, state), FIELD(struct sequence, malformed),
	FIELD(struct sequence, full), FIELD(struct sequence, leader),
	FIELD(struct sequence, intermediate), FIELD(struct sequence, final),
	FIELD(struct sequence, count), FIELD(struct sequence, parameters),
	TYPE(struct timeline_mark),
	FIELD(struct timeline_mark, offset), FIELD(struct timeline_mark, time),
	FIELD(struct timeline_mark, rows), FIELD(struct timeline_mark, cols),
	TYPE(struct timeline_walk),
	FIELD(struct timeline_walk, offset), FIELD(struct timeline_walk, time),
	FIELD(struct timeline_walk, begun),
	TYPE(struct timeline_segment),
	FIELD(struct timeline_segment, from), FIELD(struct timeline_segment, to),
	FIELD(struct timeline_segment, time), FIELD(struct timeline_segment, rows),
	FIELD(struct timeline_segment, cols),
	TYPE(struct cast),
	FIELD(struct cast, info), FIELD(struct cast, walk), FIELD(struct cast, segment),
	FIELD(struct cast, epoch), FIELD(struct cast, rows), FIELD(struct cast, cols),
	FIELD(struct cast, decoder), FIELD(struct cast, begun), FIELD(struct cast, finished),
	FIELD(struct cast, text), FIELD(struct cast, text_size), FIELD(struct cast, text_read),
	FIELD(struct cast, position),
	TYPE(struct cast_info),
	FIELD(struct cast_info, spool), FIELD(struct cast_info, timeline),
	FIELD(struct cast_info, started), FIELD(struct cast_info, shell),
	FIELD(struct cast_info, term), FIELD(struct cast_info, modes),
	TYPE(struct utf8),
	FIELD(struct utf8, code), FIELD(struct utf8, least), FIELD(struct utf8, left),
	TYPE(struct reader_state),
	FIELD(struct reader_state, position), FIELD(struct reader_state, counted),
	FIELD(struct reader_state, before_position), FIELD(struct reader_state, before_counted),
	TYPE(struct wait_state),
	FIELD(struct wait_state, asked), FIELD(struct wait_state, from),
	FIELD(struct wait_state, answer), FIELD(struct wait_state, reason),
	TYPE(struct control_message),
	FIELD(struct control_message, key), FIELD(struct control_message, verb),
	FIELD(struct control_message, signal),
	TYPE(struct start_report),
	FIELD(struct start_report, stage), FIELD(struct start_report, error),
	FIELD(struct start_report, what),
	TYPE(struct plan),
	FIELD(struct plan, candidates), FIELD(struct plan, argv), FIELD(struct plan, envp),
	FIELD(struct plan, cwd), FIELD(struct plan, rows), FIELD(struct plan, cols),
	FIELD(struct plan, open_files), FIELD(struct plan, file_size),
	FIELD(struct plan, owner_is_root), FIELD(struct plan, paths),
	FIELD(struct plan, path_count), FIELD(struct plan, own_paths), FIELD(struct plan, bounds),
	FIELD(struct plan, bound_count), FIELD(struct plan, landlock), FIELD(struct plan, rules),
	FIELD(struct plan, filter), FIELD(struct plan, image_size),
	TYPE(struct sandbox_path),
	FIELD(struct sandbox_path, outside), FIELD(struct sandbox_path, inside),
	FIELD(struct sandbox_path, writable), FIELD(struct sandbox_path, bounds),
	FIELD(struct sandbox_path, mount),
	TYPE(struct path_bound),
	FIELD(struct path_bound, path), FIELD(struct path_bound, writable),
	TYPE(struct landlock_policy),
	FIELD(struct landlock_policy, abi), FIELD(struct landlock_policy, floor),
	FIELD(struct landlock_policy, rules), FIELD(struct landlock_policy, rule_count),
	FIELD(struct landlock_policy, net), FIELD(struct landlock_policy, connect_ports),
	FIELD(struct landlock_policy, port_count),
	TYPE(struct landlock_rule),
	FIELD(struct landlock_rule, path), FIELD(struct landlock_rule, access),
	TYPE(struct sysfilter),
	FIELD(struct sysfilter, code), FIELD(struct sysfilter, length),
	VALUE(KEEP_BOX), VALUE(KEEP_DEFAULTS), VALUE(KEEP_SESSION), VALUE(KEEP_STREAMS),
	VALUE(KEEP_CONFIG), VALUE(KEEP_WORKSPACE), VALUE(KEEP_JOURNAL), VALUE(KEEP_TIMELINE),
	VALUE(KEEP_REMOVAL), VALUE(KEEP_REQUEST), VALUE(KEEP_CGROUPS),
	VALUE(KEEP_LOG_START), VALUE(KEEP_CLASSES), VALUE(KEEP_BLOCK_MIN), VALUE(KEEP_BUFFER_PLACE),
	VALUE(SESSION_PIDFD), VALUE(SESSION_START), VALUE(SESSION_CONTROL),
	VALUE(SESSION_PAGE),
	VALUE(RING_SIZE), VALUE(INPUT_MAX), VALUE(INPUT_ENDS_MAX), VALUE(MONITOR_STREAMS),
	VALUE(MONITOR_OUT_PLACE), VALUE(INPUT_IDLE), VALUE(INPUT_ASKED), VALUE(INPUT_TAKEN),
	VALUE(INPUT_REFUSED), VALUE(INPUT_PHASES), VALUE(INPUT_TIDIES), VALUE(INPUT_NUMBER_SHIFT),
	VALUE(MIMOBOX_STDOUT), VALUE(MIMOBOX_STDERR), VALUE(STREAMS), VALUE(KEPT_MARKS),
	VALUE(TIMELINE_MAX), VALUE(STATS_STEPS), VALUE(STATS_BUCKETS),
	VALUE(MIMOBOX_CREATED), VALUE(MIMOBOX_STARTING), VALUE(MIMOBOX_RUNNING),
	VALUE(MIMOBOX_DRAINING), VALUE(MIMOBOX_EXITED),
	VALUE(END_NONE), VALUE(END_EXIT), VALUE(END_SIGNAL), VALUE(END_KILL), VALUE(END_TIMEOUT),
	VALUE(END_REMOVED), VALUE(END_OOM), VALUE(END_LOST),
	VALUE(OVERFLOW_WAIT), VALUE(OVERFLOW_DROP),
	VALUE(TOTAL_SESSIONS), VALUE(TOTAL_MEMORY), VALUE(TOTAL_PROCESSES), VALUE(TOTAL_CPU),
	VALUE(TOTAL_SPOOL), VALUE(TOTALS),
	VALUE(SYSFILTER_ESSENTIAL), VALUE(SYSFILTER_NETWORK), VALUE(SYSFILTER_COMPAT),
	VALUE(SYSFILTER_PROFILES),
	VALUE(CGROUP_MEMORY), VALUE(CGROUP_PROCESSES), VALUE(CGROUP_CPU), VALUE(CGROUP_V1_MAX),
	VALUE(CGROUP_BASES),
	VALUE(SEQUENCE_GROUND), VALUE(SEQUENCE_IN_ESCAPE), VALUE(SEQUENCE_IN_CSI),
	VALUE(SEQUENCE_IN_OSC), VALUE(SEQUENCE_IN_STRING),
	VALUE(CONTROL_FOREGROUND), VALUE(CONTROL_TERMINATE), VALUE(CONTROL_ALL),
	VALUE(CONTROL_HANGUP), VALUE(CONTROL_LOOK), VALUE(CONTROL_TIDY),
	VALUE(LANDLOCK_LIST), VALUE(LANDLOCK_READ), VALUE(LANDLOCK_READ_EXEC),
	VALUE(LANDLOCK_DEVICE), VALUE(LANDLOCK_TERMINAL), VALUE(LANDLOCK_FULL),
	VALUE(STAGE_CGROUP), VALUE(STAGE_CLONE), VALUE(STAGE_IDENTITY), VALUE(STAGE_NAMESPACES),
	VALUE(STAGE_PATHS), VALUE(STAGE_ROOT), VALUE(STAGE_TERMINAL), VALUE(STAGE_LIMITS),
	VALUE(STAGE_PRIVILEGES), VALUE(STAGE_FORK), VALUE(STAGE_CWD), VALUE(STAGE_LANDLOCK),
	VALUE(STAGE_SECCOMP), VALUE(STAGE_EXEC),
};
/* clang-format on */

const struct layout layout_core = { rows, sizeof(rows) / sizeof(*rows) };
