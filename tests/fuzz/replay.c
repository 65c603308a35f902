/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target as a test: its corpus ($CORPUS), and a fixed number of inputs made from it, the
 * same in every run. Finding something new is for libFuzzer; this is so that nothing comes back,
 * and so that the targets keep up with the code.
 */
#include "fuzz.h"

#include <criterion/criterion.h>
#include <dirent.h>

enum { RUNS = 2000, INPUT_MAX_SIZE = 4096, FILES_MAX = 256 };

static struct sample {
	uint8_t *data;
	size_t size;
} samples[FILES_MAX];
static size_t sample_count;

static uint64_t state = 88172645463325252; /* xorshift64, Marsaglia 2003 */

static size_t below(size_t bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return bound ? (size_t)(state >> 11) % bound : 0;
}

static void read_sample(const char *directory, const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "re");
	cr_assert(file && sample_count < FILES_MAX);
	struct sample *sample = &samples[sample_count++];
	sample->data = malloc(1 << 20);
	cr_assert(sample->data);
	sample->size = fread(sample->data, 1, 1 << 20, file);
	sample->data = realloc(sample->data, sample->size + 1);
	fclose(file);
}

/* In the order of their names, whatever that of the directory is. */
static void read_corpus(void)
{
	struct dirent **names;
	int count = scandir(getenv("CORPUS"), &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.')
			read_sample(getenv("CORPUS"), names[i]->d_name);
		free(names[i]);
	}
	cr_assert_gt(count, 0);
	free(names);
	cr_assert_gt(sample_count, 0);
}

static void free_corpus(void)
{
	while (sample_count)
		free(samples[--sample_count].data);
}

TestSuite(fuzz, .init = read_corpus, .fini = free_corpus, .timeout = 100);

/* One of a few ways to spoil [data, data + *size), which has room for INPUT_MAX_SIZE. */
static void mutate(uint8_t *data, size_t *size)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, '\n', ' ', '0' };
	size_t at = below(*size), length = below(*size - at) + 1;
	switch (below(5)) {
	case 0:
		if (*size)
			data[at] = (uint8_t)below(256);
		break;
	case 1:
		if (*size)
			data[at] = edges[below(sizeof(edges))];
		break;
	case 2: /* without a piece */
		if (*size) {
			memmove(data + at, data + at + length, *size - at - length);
			*size -= length;
		}
		break;
	case 3: /* a piece twice */
		if (*size && *size + length <= INPUT_MAX_SIZE) {
			memmove(data + at + length, data + at, *size - at);
			*size += length;
		}
		break;
	default: { /* behind a piece, the end of another sample */
		const struct sample *other = &samples[below(sample_count)];
		size_t from = below(other->size), room = INPUT_MAX_SIZE - at;
		size_t more = other->size - from < room ? other->size - from : room;
		memcpy(data + at, other->data + from, more);
		*size = at + more;
	}
	}
}

Test(fuzz, corpus)
{
	for (size_t i = 0; i < sample_count; i++)
		LLVMFuzzerTestOneInput(samples[i].data, samples[i].size);
}

Test(fuzz, mutants_of_the_corpus)
{
	for (int run = 0; run < RUNS; run++) {
		uint8_t data[INPUT_MAX_SIZE];
		const struct sample *sample = &samples[below(sample_count)];
		size_t size = sample->size < sizeof(data) ? sample->size : sizeof(data);
		memcpy(data, sample->data, size);
		for (size_t i = below(4) + 1; i > 0; i--)
			mutate(data, &size);
		/* Of its own size, so that a read behind it is seen. */
		uint8_t *exact = malloc(size + (size == 0));
		cr_assert(exact);
		memcpy(exact, data, size);
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
	}
}
