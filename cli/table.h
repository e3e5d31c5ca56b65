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
};

struct pawl_table {
    const struct pawl_table_column *columns;
    size_t ncolumns;
    size_t width;    /* of the terminal; 0: nothing is cut */
    bool keeps_all;  /* rather wider than the terminal than without the last columns */
    bool has_colour; /* titles are bold and cells use their colour */
    bool has_header; /* it has been written */
    size_t natural[PAWL_TABLE_COLUMNS]; /* width of the widest cell seen so far */
    struct pawl_cell {
        char *text;
        size_t len;
        size_t width;
        const char *colour;
    } * cells; /* row by row */
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

/* Appends the gathered rows to out, the first time under a header, and forgets them. */
void pawl_table_flush(struct pawl_table *table, struct pawl_text *out);

#endif
