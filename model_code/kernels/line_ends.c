// Lines of a text, as long as counting line feeds is all there is to it.

#include "common.h"

#define STEP 64 // bytes of which each count fits into a byte

// counts: line feeds, and whether a line starts with white space or a return stands without a line feed.
void count_line_ends(const uint8_t *text, int64_t size, int64_t *counts) {
    int64_t feeds = 0, at = 0;
    uint8_t unclear = text[0] <= ' ' || text[size - 1] == '\r';
    for (; at + STEP < size; at += STEP) {
        uint8_t found = 0;
        for (int64_t i = at; i < at + STEP; i++) {
            const uint8_t feed = text[i] == '\n';
            found += feed;
            unclear |= (feed & (text[i + 1] <= ' ')) | ((text[i] == '\r') & (text[i + 1] != '\n'));
        }
        feeds += found;
    }
    for (; at < size; at++) {
        feeds += text[at] == '\n';
        if (at + 1 < size)
            unclear |= text[at] == '\n' ? text[at + 1] <= ' ' : (text[at] == '\r') & (text[at + 1] != '\n');
    }
    counts[0] = feeds;
    counts[1] = unclear;
}
