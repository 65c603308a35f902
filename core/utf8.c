/* SPDX-License-Identifier: MIT */
#include "utf8.h"

static bool begin(struct utf8 *decoder, unsigned char byte)
{
	static const struct {
		unsigned char from;
		unsigned left;
		uint32_t least;
	} leads[] = {
		/* five and six bytes were UTF-8 once: still one sequence, though never a character
		 */
		{ 0xfc, 5, UINT32_MAX }, { 0xf8, 4, UINT32_MAX }, { 0xf0, 3, 0x10000 },
		{ 0xe0, 2, 0x800 },      { 0xc0, 1, 0x80 },
	};
	if (byte < 0xc0 || byte >= 0xfe)
		return false;
	unsigned i = 0;
	while (byte < leads[i].from)
		i++;
	decoder->code = byte & (0x3fu >> leads[i].left);
	decoder->left = leads[i].left;
	decoder->least = leads[i].least;
	return true;
}

static uint32_t complete(const struct utf8 *decoder)
{
	uint32_t code = decoder->code;
	if (code < decoder->least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return UTF8_REPLACEMENT;
	return code;
}

unsigned utf8_feed(struct utf8 *decoder, unsigned char byte, uint32_t codes[2])
{
	unsigned count = 0;
	if (decoder->left && (byte & 0xc0) == 0x80) {
		decoder->code = decoder->code << 6 | (byte & 0x3f);
		if (--decoder->left)
			return 0;
		codes[0] = complete(decoder);
		return 1;
	}
	if (utf8_finish(decoder))
		codes[count++] = UTF8_REPLACEMENT;
	if (byte < 0x80)
		codes[count++] = byte;
	else if (!begin(decoder, byte))
		codes[count++] = UTF8_REPLACEMENT;
	return count;
}

bool utf8_finish(struct utf8 *decoder)
{
	bool cut = decoder->left > 0;
	decoder->left = 0;
	return cut;
}

size_t utf8_put(uint32_t code, char bytes[UTF8_MAX])
{
	size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	if (size == 1) {
		bytes[0] = (char)code;
		return 1;
	}
	for (size_t i = size - 1; i > 0; i--, code >>= 6)
		bytes[i] = (char)(0x80 | (code & 0x3f));
	bytes[0] = (char)((0xf00u >> size & 0xf0) | code);
	return size;
}
