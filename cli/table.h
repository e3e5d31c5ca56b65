/* table.h: rows of cells in aligned columns. Rows are gathered and laid out together at
 * each flush (a page of a list), so a table may be longer than memory; widths carry over
 * from one flush to the next and only grow. Used by one thread. */
#ifndef PAWL_TABLE_H
#define PAWL_TABLE_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>

#define PAWL_TABLE_COLUMNS 16

struct pawl_table_column {
    const char *title;
    size_t least; /* may be cut down to this width; 0: is never cut for others' sake */
    unsigned leaves; /* which columns are left out where not all fit: 1 is the first to go,
                      * 0 stays, cut at the right edge if it must be */
};

struct pawl_table {
    const struct pawl_table_column *columns;
    size_t ncolumns;
    size_t width;    /* of the terminal; 0: nothing is cut */
    bool keeps_all;  /* rather wider than the terminal than without the last columns */
    bool has_colour; /* titles are bold and cells use their colour */
    bool has_header; /* it has been written */
    bool is_brief;   /* cells that have a shorter text show that one */
    bool is_left_out[PAWL_TABLE_COLUMNS]; /* decided at the first flush */
    size_t natural[PAWL_TABLE_COLUMNS]; /* width of the widest cell seen so far */
    size_t brief[PAWL_TABLE_COLUMNS];   /* the same of their shorter texts */
    struct pawl_cell {
        char *text;
        size_t len;
        size_t width;
        const char *colour;
        const char *brief; /* a shorter text, or NULL */
    } * cells;             /* row by row */
    size_t ncells, cap;
};

/* Prepares a table. Owns: borrows columns. */
void pawl_table_init(struct pawl_table *table, const struct pawl_table_column *columns,
    size_t ncolumns, size_t width, bool has_colour);
void pawl_table_fini(struct pawl_table *table);

/* Adds the next cell of the current row, escaped. colour: an SGR number as text ("32") or
 * NULL. Owns: borrows colour until the flush. */
void pawl_table_add(
    struct pawl_table *table, const char *text, size_t len, const char *colour);

/* The same with a shorter text for tables that would else be too wide: ASCII, a literal;
 * NULL: none. */
void pawl_table_add_brief(struct pawl_table *table, const char *text, size_t len,
    const char *colour, const char *brief);

/* Appends the titles of the columns that are left out, with commas; nothing: all are shown. */
void pawl_table_left_out(const struct pawl_table *table, struct pawl_text *out);

/* Appends the gathered rows to out, the first time under a header, and forgets them. */
void pawl_table_flush(struct pawl_table *table, struct pawl_text *out);

#endif
