#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kr_table_shape.h"


#define KR_FNV_BASIS  UINT64_C(0xcbf29ce484222325)
#define KR_FNV_PRIME  UINT64_C(0x100000001b3)


/* the lines that begin with a letter */
typedef struct {
    char          letter;
    unsigned      words;    /* that name what the line is of; 0: all */
    unsigned      added:1;  /* a line that is new counts, too */
    const char   *reason;
} kr_shape_line_t;


static const char *kr_shape_gone(const char *before, const char *now);
static const char *kr_shape_came(const char *before, const char *now);
static const char *kr_shape_part_gone(const char *line, const char *there);
static const char *kr_shape_part_came(const char *line, const char *before);
static int kr_shape_attached(const char *line);
static int kr_shape_like(const char *part, const char *before);
static int kr_shape_rewritten(const char *line, const char *there);
static const kr_shape_line_t *kr_shape_line(char letter);
static const char *kr_shape_find(const char *lines, const char **hint,
    const char *line, unsigned words);
static const char *kr_shape_next(const char *line);
static int kr_shape_equal(const char *one, const char *two);
static const char *kr_shape_word(const char *line, unsigned n);
static int kr_shape_same_word(const char *one, const char *two);
static uint64_t kr_shape_hash(uint64_t hash, const char *p, size_t len);


static const char  kr_shape_altered[] =
    "the table was altered: subscribe again";


/* of p and w, and of what is not here, the code decides */
static const kr_shape_line_t  kr_shape_lines[] = {
    { 't', 1, 0, "the table was dropped and made anew: subscribe again" },
    { 'n', 1, 0, "the table was renamed, or got another owner: subscribe "
                 "again" },
    { 'a', 1, 0, "the replicator's rights to the table were changed: "
                 "subscribe again" },
    { 'r', 1, 0, "the table's row security was changed: subscribe again" },
    { 'q', 0, 1, "the table's row security was changed: subscribe again" },
    { 'c', 2, 0, kr_shape_altered },
    { 'k', 0, 0, "a key of the table was dropped: subscribe again" },
    { 'y', 2, 0, "a type of the table was altered: subscribe again" },
    { 'e', 0, 0, "a type of the table was altered: subscribe again" },
    { 'f', 0, 1, "a type of the table was altered: subscribe again" },
    { 'i', 1, 0, kr_shape_altered },
    { 'p', 2, 0, NULL },
    { 'w', 2, 0, NULL },
    { '\0', 0, 0, kr_shape_altered }
};


const char *
kr_table_shape_judge(const char *before, const char *now)
{
    const char  *reason;

    if (now == NULL) {
        return "the table was dropped or renamed: subscribe again";
    }

    if (strcmp(before, now) == 0) {
        return NULL;
    }

    reason = kr_shape_gone(before, now);

    return reason == NULL ? kr_shape_came(before, now) : reason;
}


void
kr_table_shape_mark(kr_buf_t *b, const char *shape)
{
    size_t       len;
    uint64_t     files, written, rest;
    const char  *p, *next, *columns;

    files = KR_FNV_BASIS;
    written = KR_FNV_BASIS;
    rest = KR_FNV_BASIS;

    for (p = shape; *p != '\0'; p = next) {
        next = kr_shape_next(p);
        len = (size_t) (next - p);

        if (*p != 'w') {
            rest = kr_shape_hash(rest, p, len);
            continue;
        }

        columns = kr_shape_word(p, 3);
        files = kr_shape_hash(files, p, (size_t) (columns - p));
        written = kr_shape_hash(written, columns, (size_t) (next - columns));
    }

    kr_buf_printf(b, "%016" PRIx64 "%016" PRIx64 "%016" PRIx64, files, written,
                  rest);
}


int
kr_table_shape_differs(const char *one, const char *two)
{
    size_t  n;

    n = KR_TABLE_SHAPE_MARK / 3;

    return memcmp(one + 2 * n, two + 2 * n, n) != 0
           || (memcmp(one, two, n) != 0 && memcmp(one + n, two + n, n) != 0);
}


/* The reason of the first line that is another now, or is not there. */
static const char *
kr_shape_gone(const char *before, const char *now)
{
    const char             *line, *there, *hint, *reason;
    const kr_shape_line_t  *sl;

    hint = now;

    for (line = before; *line != '\0'; line = kr_shape_next(line)) {
        sl = kr_shape_line(*line);
        there = kr_shape_find(now, &hint, line, sl->words);

        if (there != NULL && kr_shape_equal(line, there)) {
            continue;
        }

        reason = sl->reason;

        if (*line == 'p') {
            reason = kr_shape_part_gone(line, there);

        } else if (*line == 'w') {
            reason = there != NULL && kr_shape_rewritten(line, there)
                     ? kr_shape_altered : NULL;
        }

        if (reason != NULL) {
            return reason;
        }
    }

    return NULL;
}


/* Likewise of the lines that are new: most that come change nothing. */
static const char *
kr_shape_came(const char *before, const char *now)
{
    const char             *line, *hint, *reason;
    const kr_shape_line_t  *sl;

    hint = before;

    for (line = now; *line != '\0'; line = kr_shape_next(line)) {
        sl = kr_shape_line(*line);

        if ((!sl->added && *line != 'p')
            || kr_shape_find(before, &hint, line, sl->words) != NULL)
        {
            continue;
        }

        reason = *line == 'p' ? kr_shape_part_came(line, before) : sl->reason;

        if (reason != NULL) {
            return reason;
        }
    }

    return NULL;
}


/* there: the part's line as it is now, or NULL. */
static const char *
kr_shape_part_gone(const char *line, const char *there)
{
    if (there == NULL) {
        return "a partition was detached or dropped: subscribe again";
    }

    if (kr_shape_attached(there) && !kr_shape_attached(line)) {
        return "a partition was attached: subscribe again";
    }

    return "a partition was altered or renamed: subscribe again";
}


/*
 * A part that was made as one is empty at first.  It is served if its changes
 * are in the WAL as those of another part are.
 */
static const char *
kr_shape_part_came(const char *line, const char *before)
{
    if (strncmp(before, "t ", 2) == 0 && *kr_shape_word(before, 2) != 'p') {
        return "another table inherits from the table: subscribe again";
    }

    if (kr_shape_attached(line)) {
        return "a partition was attached: subscribe again";
    }

    return kr_shape_like(line, before)
           ? NULL : "a partition was added, whose changes are not in the WAL "
                    "as the others' are: subscribe again";
}


/* Whether the line of a part has the word "attached" (1 or 0). */
static int
kr_shape_attached(const char *line)
{
    return strncmp(kr_shape_word(line, 6), "attached\n", 9) == 0;
}


/*
 * Whether a part of before has the kind, persistence and replica identity of
 * this one; or this one is a partitioned table, without a file (1 or 0).
 */
static int
kr_shape_like(const char *part, const char *before)
{
    const char  *p, *kind, *identity, *other;

    kind = kr_shape_word(part, 2);
    identity = kr_shape_word(part, 4);

    if (*kind == 'p') {
        return 1;
    }

    if (*kind != 'r' || *kr_shape_word(part, 3) != 'p') {
        return 0;
    }

    if (*identity == 'f') {
        return 1;
    }

    for (p = before; *p != '\0'; p = kr_shape_next(p)) {
        other = kr_shape_word(p, 4);

        if (*p == 'p' && *kr_shape_word(p, 2) == 'r' && *other == *identity
            && (other[1] == ' ') == (identity[1] == ' '))
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Whether there is another file, and a column that was there before was
 * written: ALTER TABLE ... TYPE ... USING, also where the type is the same,
 * and whatever else the statement did.  Other files alone are those of VACUUM
 * FULL and TRUNCATE, a column alone is what changes no row.
 */
static int
kr_shape_rewritten(const char *line, const char *there)
{
    long         one, two;
    const char  *p, *q;

    if (kr_shape_same_word(kr_shape_word(line, 2), kr_shape_word(there, 2))) {
        return 0;
    }

    p = kr_shape_word(line, 3);
    q = kr_shape_word(there, 3);

    while (*p != '\n' && *q != '\n') {
        one = strtol(p, NULL, 10);
        two = strtol(q, NULL, 10);

        if (one == two && !kr_shape_same_word(p, q)) {
            return 1;
        }

        p = one <= two ? kr_shape_word(p, 1) : p;
        q = two <= one ? kr_shape_word(q, 1) : q;
    }

    return 0;
}


static const kr_shape_line_t *
kr_shape_line(char letter)
{
    const kr_shape_line_t  *sl;

    for (sl = kr_shape_lines; sl->letter != '\0'; sl++) {
        if (sl->letter == letter) {
            break;
        }
    }

    return sl;
}


/*
 * The line that has the first words (0: all) of this one, or NULL.  Two shapes
 * have their lines in one order: the search begins at *hint, which is moved
 * behind the line that was found.
 */
static const char *
kr_shape_find(const char *lines, const char **hint, const char *line,
    unsigned words)
{
    size_t       len;
    const char  *p;

    len = (size_t) ((words == 0 ? kr_shape_next(line)
                                : kr_shape_word(line, words)) - line);

    for (p = *hint; *p != '\0'; p = kr_shape_next(p)) {
        if (strncmp(p, line, len) == 0) {
            *hint = kr_shape_next(p);
            return p;
        }
    }

    for (p = lines; p < *hint; p = kr_shape_next(p)) {
        if (strncmp(p, line, len) == 0) {
            *hint = kr_shape_next(p);
            return p;
        }
    }

    return NULL;
}


/* Every line ends in a newline. */
static const char *
kr_shape_next(const char *line)
{
    return line + strcspn(line, "\n") + 1;
}


static int
kr_shape_equal(const char *one, const char *two)
{
    size_t  len;

    len = (size_t) (kr_shape_next(one) - one);

    return strncmp(one, two, len) == 0;
}


/* The n-th word behind this one; the end of the line if there are fewer. */
static const char *
kr_shape_word(const char *line, unsigned n)
{
    for (/* void */; n > 0; n--) {
        line += strcspn(line, " \n");
        line += (*line == ' ');
    }

    return line;
}


static int
kr_shape_same_word(const char *one, const char *two)
{
    size_t  len;

    len = strcspn(one, " \n");

    return len == strcspn(two, " \n") && memcmp(one, two, len) == 0;
}


static uint64_t
kr_shape_hash(uint64_t hash, const char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char) p[i]) * KR_FNV_PRIME;
    }

    return hash;
}
