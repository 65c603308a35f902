/* SPDX-License-Identifier: MIT */
/* Included before all else where records are put and restored: they get larger fields. */
#include <dir.h>
#include <feed.h>
#include <files.h>
#include <handle.h>
#include <handover.h>
#include <keep.h>
#include <kept.h>
#include <layout.h>
#include <mimobox.h>
#include <question.h>
#include <resume.h>
#include <server.h>
#include <unistd.h>

#define uid_t uint64_t
