/* suggest.c: how far apart two words are (insertions, deletions, replacements, and swaps
 * of neighbours, the usual slips of a hand). Pure. */
#include "suggest.h"

#include <string.h>

#define LONGEST 32

static size_t
min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

static size_t
distance(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t d[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= alen; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= blen; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= alen; i++)
        for (size_t j = 1; j <= blen; j++) {
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
                d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    return d[alen][blen];
}

bool
pawl_suggest_is_closer(const char *word, const char *candidate, size_t *best)
{
    size_t wlen = strlen(word), clen = strlen(candidate);
    if (wlen < 2 || wlen > LONGEST || clen > LONGEST)
        return false;
    bool is_start = clen > wlen && strncmp(word, candidate, wlen) == 0;
    size_t far = is_start ? 1 : distance(word, wlen, candidate, clen);
    if (far > (clen < 5 ? 1 : 1 + clen / 4) || far >= clen || far >= *best)
        return false;
    *best = far;
    return true;
}
