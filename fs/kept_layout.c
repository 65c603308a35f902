/* SPDX-License-Identifier: MIT */
#include "kept_layout.h"

#include "handover.h"
#include "kept.h"
#include "kept_records.h"

#define TYPE LAYOUT_TYPE
#define FIELD LAYOUT_FIELD
#define VALUE LAYOUT_VALUE

/* clang-format off */
static const struct layout_row rows[] = {
	TYPE(struct kept_server),
	FIELD(struct kept_server, uid), FIELD(struct kept_server, gid),
	FIELD(struct kept_server, mode), FIELD(struct kept_server, stopping),
	FIELD(struct kept_server, changed), FIELD(struct kept_server, last_handle),
	FIELD(struct kept_server, last_question),
	TYPE(struct kept_dir),
	FIELD(struct kept_dir, mode), FIELD(struct kept_dir, gid), FIELD(struct kept_dir, input_full),
	TYPE(struct dir_rights),
	FIELD(struct dir_rights, file), FIELD(struct dir_rights, mode), FIELD(struct dir_rights, gid),
	TYPE(struct kept_ring),
	FIELD(struct kept_ring, base), FIELD(struct kept_ring, size),
	TYPE(struct kept_handle),
	FIELD(struct kept_handle, session), FIELD(struct kept_handle, file),
	FIELD(struct kept_handle, opener), FIELD(struct kept_handle, next),
	FIELD(struct kept_handle, base), FIELD(struct kept_handle, stale),
	FIELD(struct kept_handle, polled), FIELD(struct kept_handle, dropped),
	FIELD(struct kept_handle, owns), FIELD(struct kept_handle, answers),
	FIELD(struct kept_handle, poll), FIELD(struct kept_handle, text_size),
	FIELD(struct kept_handle, digest), FIELD(struct kept_handle, question),
	FIELD(struct kept_handle, reader), FIELD(struct kept_handle, wait),
	TYPE(struct kept_waiting),
	FIELD(struct kept_waiting, place), FIELD(struct kept_waiting, size),
	FIELD(struct kept_waiting, head_size), FIELD(struct kept_waiting, head),
	TYPE(struct handover),
	FIELD(struct handover, file), FIELD(struct handover, trial), FIELD(struct handover, result),
	FIELD(struct handover, door), FIELD(struct handover, caller),
	FIELD(struct handover, before), FIELD(struct handover, answer),
	FIELD(struct handover, deaths), FIELD(struct handover, served),
	VALUE(KEEP_SERVER), VALUE(KEEP_MOUNT), VALUE(KEEP_INIT), VALUE(KEEP_DIR),
	VALUE(KEEP_RING), VALUE(KEEP_HANDLE), VALUE(KEEP_TEXT), VALUE(KEEP_CARRY),
	VALUE(KEEP_CAST), VALUE(KEEP_FEED), VALUE(KEEP_WAITING),
	VALUE(KEPT_FUSE), VALUE(KEPT_UNMOUNTER), VALUE(KEPT_PIECE), VALUE(KEPT_HEAD),
	VALUE(KEEP_BUFFER_SIZE),
};
/* clang-format on */

const struct layout kept_layout = { rows, sizeof(rows) / sizeof(*rows) };

uint32_t kept_layout_digest(void)
{
	return layout_digest(layout_digest(0, &layout_core), &kept_layout);
}
