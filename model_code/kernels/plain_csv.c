// Lines of CSV that need no second look, split into numbers and texts.

#include "common.h"

#define NUMBER 1
#define TEXT 2
#define WORD 3
#define MOST_DIGITS 18 // fit into 64 bits, whatever they are
#define LONGEST 4096   // bytes of a line
#define WORD_ROOM 32   // bytes, its length the first

// A text in Arrow's layout of views: its length, and 12 bytes; a longer one's first four, buffer and offset.
static void view(const uint8_t *text, int64_t from, int64_t to, int32_t *out) {
    const int64_t length = to - from;
    out[0] = (int32_t)length;
    out[1] = out[2] = out[3] = 0;
    memcpy(out + 1, text + from, length <= 12 ? length : 4);
    if (length > 12) out[3] = (int32_t)from;
}

// One past the integer at `at`, as a computer writes it (no plus, no leading zero, no -0); `at` if there is none.
static int64_t after_number(const uint8_t *text, int64_t at, int64_t *out) {
    const int64_t first = at + (text[at] == '-');
    int64_t end = first, value = 0;
    for (uint8_t digit; (digit = text[end] - '0') < 10; end++)
        value = end - first < MOST_DIGITS ? 10 * value + digit : 0;
    const int64_t digits = end - first;
    if (!digits || digits > MOST_DIGITS || (text[first] == '0' && (digits > 1 || first > at))) return at;
    *out = first > at ? -value : value;
    return end;
}

// One past the text at `at`: characters of ASCII that are seen, none of which means anything in CSV.
static int64_t after_text(const uint8_t *text, int64_t at) {
    while (text[at] > ' ' && text[at] < 0x7f && text[at] != ',' && text[at] != '"' && text[at] != '\\') at++;
    return at;
}

// The number of a word among those known, of which it may become one; -1 if it is too long, or one too many.
static int64_t word_code(const uint8_t *text, int64_t length, int64_t most, uint8_t *words, int64_t *known) {
    if (length >= WORD_ROOM) return -1;
    int64_t code = 0;
    for (; code < *known; code++) {
        const uint8_t *const word = words + code * WORD_ROOM;
        if (word[0] == length && !memcmp(word + 1, text, length)) return code;
    }
    if (code == most) return -1;
    uint8_t *const word = words + WORD_ROOM * (*known)++;
    word[0] = (uint8_t)length;
    memcpy(word + 1, text, length);
    return code;
}

// Plain lines have so many fields, none empty, of their kinds: what `numbers` (columns, room), `texts` (columns, room,
// 4), `codes` (columns, room) and `lines` (room, 4), the whole lines, tell of them is all that they hold. Codes stand
// for `words` (most words, WORD_ROOM), of which so many are known. Of the others `odd` (most odd, 2) has the start and
// the end, their line ends left out. `row` (room) and `odd_row` are their places among all lines.
// `text` ends in a line end, and there is room for a plain line in each 2 fields bytes of it.
// counts: all lines, the plain ones, the odd ones; of these -1 if there are too many.
void read_plain_csv(const uint8_t *text, int64_t size, int64_t fields, const int64_t *kinds, int64_t room,
                    int64_t *numbers, int32_t *texts, uint8_t *codes, int64_t most_words, uint8_t *words,
                    int64_t *known, int32_t *lines, int64_t *row, int64_t most_odd, int64_t *odd, int64_t *odd_row,
                    int64_t *counts) {
    int64_t at = 0, line = 0, plain = 0, odds = 0;
    for (; at < size; line++) {
        const int64_t start = at, words_before = *known;
        int64_t *number = numbers + plain;
        int32_t *seen = texts + 4 * plain;
        uint8_t *code = codes + plain;
        int64_t field = 0;
        for (; field < fields; field++) {
            const int64_t from = at;
            if (kinds[field] == NUMBER) {
                at = after_number(text, from, number);
                number += room;
            } else {
                at = after_text(text, from);
                if (kinds[field] == TEXT) {
                    view(text, from, at, seen);
                    seen += 4 * room;
                }
                if (kinds[field] == WORD && at > from) {
                    const int64_t word = word_code(text + from, at - from, most_words, words, known);
                    if (word < 0) break;
                    *code = (uint8_t)word;
                    code += room;
                }
            }
            if (at == from || text[at] != (field + 1 < fields ? ',' : '\n')) break;
            at++;
        }
        if (field == fields && at - start <= LONGEST) {
            view(text, start, at - 1, lines + 4 * plain);
            row[plain++] = line;
            continue;
        }
        *known = words_before;
        at = (const uint8_t *)memchr(text + start, '\n', size - start) - text + 1;
        if (odds == most_odd) {
            odds = -1;
            break;
        }
        odd[2 * odds] = start;
        odd[2 * odds + 1] = at - 1;
        odd_row[odds++] = line;
    }
    counts[0] = line;
    counts[1] = plain;
    counts[2] = odds;
}
