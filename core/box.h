/* SPDX-License-Identifier: MIT */
/* What the filesystem may use of a box beyond mimobox.h: its loop, to put sources of its own on. */
#ifndef BOX_H
#define BOX_H

struct loop;
struct mimobox;

/* Borrowed; lives as long as the box. */
struct loop *mimobox_loop(const struct mimobox *box);

#endif
