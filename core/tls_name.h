/* SPDX-License-Identifier: MIT */
#ifndef TLS_NAME_H
#define TLS_NAME_H

#include <stddef.h>
#include <stdint.h>

enum { TLS_NAME_SIZE = 256 };

/*
 * Which name the first bytes of a connection ask for, if they are those of TLS (RFC 6066): 0;
 * -ENOENT: for none; -EAGAIN: there are too few bytes; -EINVAL: they are not TLS.
 */
int tls_name_read(const uint8_t *data, size_t size, char out[static TLS_NAME_SIZE]);

#endif
