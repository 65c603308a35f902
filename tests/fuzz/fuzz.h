/* SPDX-License-Identifier: MIT */
/*
 * Fuzz targets: one file each, with one LLVMFuzzerTestOneInput(). libFuzzer calls it for as long
 * as one likes (contrib/fuzz); replay.c calls it with the corpus, and for a moment, in every test
 * run. A target is given any bytes, and aborts where something does not hold.
 *
 * A target has the same outcome for the same bytes, whatever ran before: no clock, no random
 * numbers, nothing kept but what costs too much to be made anew.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Never compiled out. */
#define CHECK(condition)                                                                  \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
				#condition);                                              \
			abort();                                                          \
		}                                                                         \
	} while (0)

/* What is left of an input. Past its end there are zeros. */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

/* Little-endian, of `bytes` bytes. */
static inline uint64_t fuzz_number(struct fuzz_input *input, unsigned bytes)
{
	uint64_t number = 0;
	for (unsigned i = 0; i < bytes; i++)
		number |= (uint64_t)fuzz_byte(input) << (8 * i);
	return number;
}

/* Up to `size` bytes, taken off the input; *taken is how many there were. */
static inline const uint8_t *fuzz_take(struct fuzz_input *input, size_t size, size_t *taken)
{
	const uint8_t *data = input->data;
	*taken = size < input->size ? size : input->size;
	input->data += *taken;
	input->size -= *taken;
	return data;
}

/* FNV-1a */
static inline uint32_t fuzz_hash(const void *data, size_t size)
{
	uint32_t hash = 2166136261;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * 16777619;
	return hash;
}

/* All up to the first `end`, which goes too, as a string; the caller's to free. */
static inline char *fuzz_string(struct fuzz_input *input, uint8_t end)
{
	const uint8_t *at = input->size ? memchr(input->data, end, input->size) : NULL;
	size_t length = at ? (size_t)(at - input->data) : input->size;
	char *text = malloc(length + 1);
	CHECK(text);
	if (length)
		memcpy(text, input->data, length);
	text[length] = '\0';
	input->data += length + (at != NULL);
	input->size -= length + (at != NULL);
	return text;
}

#endif
