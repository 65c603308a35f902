/* SPDX-License-Identifier: MIT */
/*
 * What a kernel, and those who use it, may do: each operation takes what it needs off the input,
 * tells the model, and sends one request at most. kernel_...done() look at the answers.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include "model.h"

extern struct server server;
extern struct fuzz_input choices;

/* choose.c: what the input names of what there is; NULL: there is none. */
extern const struct model_node root;
const char *take_name(void);
uint32_t take_uid(uint8_t byte);
struct model_session *take_session(void);
struct model_node *take_node(void);
struct model_handle *take_handle(void);
bool is_in_use(const struct model_handle *handle);
bool is_directory(const struct model_node *node);
uint32_t mode_of(const struct model_node *node);
/* Of a file before anybody changes it: what it can do. */
uint32_t first_mode_of(const struct model_node *node);

/* kernel_names.c */
void kernel_begin(void);
/* A number that a name stands for, or NULL: then it is being looked up. */
const struct model_node *kernel_reach(struct model_session *session, enum model_file file);
void kernel_look_up(const struct model_node *parent, const char *name);
void kernel_make_directory(void);
void kernel_remove_directory(void);
void kernel_get_attributes(void);
void kernel_set_attributes(void);
void kernel_list(void);
bool kernel_is_listing(void);
void kernel_go_on_listing(void);
void kernel_refuse(void);
void kernel_read_link(void);
void kernel_looked_up(const struct call *call);
void kernel_made_directory(const struct call *call);
void kernel_got_attributes(const struct call *call);
void kernel_listed(const struct call *call);

/* kernel_files.c */
void kernel_open(void);
void kernel_ask(void);
void kernel_read(void);
void kernel_release(void);
void kernel_poll(void);
void kernel_forget(void);
void kernel_interrupt(void);
uint64_t kernel_node_of(const struct model_handle *handle);
void kernel_opened(const struct call *call);
void kernel_read_done(struct call *call);
void kernel_poll_done(const struct call *call);
void kernel_polled(uint64_t kh);

/* kernel_writes.c */
void kernel_write(void);
void kernel_write_done(struct call *call);
/* Of an input that waits for room: rightly so. */
void kernel_check_full(const struct call *call);

/* world.c */
void world_print(void);
void world_read(void);
void world_end(void);
void world_go_on(void);
void world_change_manner(void);
/* So much time is to pass; world_wait() lets it pass up to the next timer, false: none is left. */
void world_pass_time(void);
bool world_wait(void);
void world_begin(void);
void world_stop_server(int pipe);
void world_send_garbage(void);

#endif
