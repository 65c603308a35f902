/* SPDX-License-Identifier: MIT */
/*
 * What a program asks its terminal: any bytes, in any pieces, give the same questions; what is
 * answered is a sequence that nobody could take for something typed; and a terminal that is not to
 * answer gets no question.
 *
 * The input: the size of a piece; the size of the terminal, and where its cursor is; the bytes.
 */
#include "fuzz.h"

#include <answer.h>
#include <stdbool.h>

struct outcome {
	size_t count;
	uint32_t hash; /* of all questions and their places */
};

static void check_answer(const struct query *query, const struct answer_facts *facts)
{
	char text[ANSWER_MAX];
	size_t size = answer_print(query, facts, text);
	CHECK(size < ANSWER_MAX);
	CHECK(size == 0 || text[0] == '\033');
	for (size_t i = 0; i < size; i++)
		CHECK((text[i] >= ' ' && text[i] < 0x7f) || text[i] == '\033' || text[i] == '\007');
}

static void note(struct outcome *outcome, const struct query *query, size_t place)
{
	CHECK(query->kind != QUERY_NONE && query->count <= QUERY_NUMBERS);
	outcome->count++;
	outcome->hash = outcome->hash * 16777619 ^ (uint32_t)place;
	outcome->hash = outcome->hash * 16777619 ^ (uint32_t)query->kind;
	outcome->hash = outcome->hash * 16777619 ^ query->bell;
	for (unsigned i = 0; i < query->count; i++)
		outcome->hash = outcome->hash * 16777619 ^ query->numbers[i];
}

static struct outcome scan(const char *data, size_t size, size_t piece,
			   const struct answer_facts *facts)
{
	struct query_scanner scanner = { 0 };
	struct outcome outcome = { 0 };
	struct query query;
	for (size_t done = 0; done < size; done += piece) {
		const char *at = data + done,
			   *end = data + (size - done < piece ? size : done + piece);
		while (query_next(&scanner, &at, end, &query)) {
			CHECK(at > data + done && at <= end);
			note(&outcome, &query, (size_t)(at - data));
			check_answer(&query, facts);
		}
		CHECK(at == end);
	}
	return outcome;
}

static size_t filter(const char *data, size_t size, size_t piece, char *to, struct outcome *outcome)
{
	struct query_filter filter = { .to = to };
	struct query query;
	for (size_t done = 0; done < size; done += piece) {
		const char *at = data + done,
			   *end = data + (size - done < piece ? size : done + piece);
		while (query_filter_next(&filter, &at, end, &query))
			note(outcome, &query, (size_t)(at - data));
		CHECK(at == end && filter.size <= (size_t)(end - data));
	}
	return filter.size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct modes modes = { 0 };
	size_t piece = (size_t)fuzz_byte(&input) + 1;
	const struct answer_facts facts = {
		.rows = (int)fuzz_number(&input, 2) + 1,
		.cols = (int)fuzz_number(&input, 2) + 1,
		.row = (int)fuzz_number(&input, 2) + 1,
		.col = (int)fuzz_number(&input, 2) + 1,
		.modes = &modes,
	};
	const char *bytes = (const char *)input.data;
	modes_feed(&modes, bytes, input.size);
	struct outcome whole = scan(bytes, input.size, input.size + 1, &facts);
	struct outcome parts = scan(bytes, input.size, piece, &facts);
	CHECK(whole.count == parts.count && whole.hash == parts.hash);

	struct outcome kept[3] = { { 0 } };
	char *one = malloc(input.size + QUERY_HELD_MAX), *two = malloc(input.size + QUERY_HELD_MAX);
	char *none = malloc(input.size + QUERY_HELD_MAX);
	CHECK(one && two && none);
	size_t left = filter(bytes, input.size, input.size + 1, one, &kept[0]);
	CHECK(filter(bytes, input.size, piece, two, &kept[1]) == left);
	CHECK(kept[0].count == kept[1].count && kept[0].hash == kept[1].hash);
	CHECK(kept[0].count >= whole.count);
	CHECK(memcmp(one, two, left) == 0);
	(void)filter(one, left, left + 1, none, &kept[2]);
	CHECK(kept[2].count == 0);
	free(one);
	free(two);
	free(none);
	return 0;
}
