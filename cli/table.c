/* table.c: column widths, cutting to the terminal, padding by display width.
 * One thread. Pure: writes into a text, knows nothing of tasks or files. */
#include "table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "glyph.h"

#define GAP 2
/* Where nothing is cut, a wider cell does not widen its column but puts its own row out of
 * line: the blanks for a script of 1 MiB in all other rows are gigabytes. */
#define WIDEST_UNCUT 256

void
pawl_table_init(struct pawl_table *table, const struct pawl_table_column *columns,
    size_t ncolumns, size_t width, bool has_colour)
{
    assert(ncolumns > 0 && ncolumns <= PAWL_TABLE_COLUMNS);
    *table = (struct pawl_table){.columns = columns,
        .ncolumns = ncolumns,
        .width = width,
        .has_colour = has_colour};
    for (size_t i = 0; i < ncolumns; i++)
        table->natural[i] = table->brief[i] = strlen(columns[i].title);
}

static void
drop_rows(struct pawl_table *table)
{
    for (size_t i = 0; i < table->ncells; i++)
        free(table->cells[i].text);
    table->ncells = 0;
}

void
pawl_table_fini(struct pawl_table *table)
{
    drop_rows(table);
    free(table->cells);
    table->cells = NULL;
}

void
pawl_table_add(struct pawl_table *table, const char *text, size_t len, const char *colour)
{
    pawl_table_add_brief(table, text, len, colour, NULL);
}

void
pawl_table_add_brief(struct pawl_table *table, const char *text, size_t len,
    const char *colour, const char *brief)
{
    if (table->ncells == table->cap) {
        size_t cap = table->cap ? table->cap * 2 : 64;
        struct pawl_cell *cells = realloc(table->cells, cap * sizeof *cells);
        if (!cells)
            pawl_text_oom();
        table->cells = cells;
        table->cap = cap;
    }
    struct pawl_text escaped = {0};
    pawl_glyph_escape(&escaped, text, len, false);
    pawl_text_append(&escaped, "", 0);
    size_t column = table->ncells % table->ncolumns;
    size_t width = pawl_glyph_width(escaped.data, escaped.len);
    table->cells[table->ncells++] =
        (struct pawl_cell){escaped.data, escaped.len, width, colour, brief};
    if (width > table->natural[column] && (table->width || width <= WIDEST_UNCUT))
        table->natural[column] = width;
    if (brief)
        width = strlen(brief);
    if (width > table->brief[column] && (table->width || width <= WIDEST_UNCUT))
        table->brief[column] = width;
}

/* How wide a table of these columns is, cut as far as it may be or not at all. */
static size_t
total_width(const struct pawl_table *table, bool is_cut)
{
    size_t total = 0, nshown = 0;

    for (size_t i = 0; i < table->ncolumns; i++) {
        size_t least = table->columns[i].least;
        size_t width = table->is_brief ? table->brief[i] : table->natural[i];
        if (table->is_left_out[i])
            continue;
        total += is_cut && least && least < width ? least : width;
        nshown++;
    }
    return total + GAP * (nshown - 1);
}

/* Shorter texts where the natural widths do not fit, then fewer columns. */
static void
give_way(struct pawl_table *table)
{
    if (!table->width || table->keeps_all)
        return;
    table->is_brief = table->is_brief || total_width(table, false) > table->width;
    for (unsigned turn = 1; turn <= table->ncolumns && !table->has_header; turn++)
        for (size_t i = 0; i < table->ncolumns; i++)
            if (table->columns[i].leaves == turn && total_width(table, true) > table->width)
                table->is_left_out[i] = true;
}

void
pawl_table_left_out(const struct pawl_table *table, struct pawl_text *out)
{
    for (size_t i = 0; i < table->ncolumns; i++)
        if (table->is_left_out[i])
            pawl_text_printf(out, "%s%s", out->len ? ", " : "", table->columns[i].title);
}

/* Decides the widths: natural ones, and if they do not fit, the widest column that may be
 * cut gives way first; what still does not fit is cut off at the right, unless the table
 * keeps all. */
static void
lay_out(const struct pawl_table *table, size_t widths[PAWL_TABLE_COLUMNS])
{
    size_t total = 0;
    for (size_t i = 0; i < table->ncolumns; i++) {
        widths[i] = table->is_left_out[i] ? 0
                  : table->is_brief       ? table->brief[i]
                                          : table->natural[i];
        if (table->is_left_out[i])
            continue;
        total += total ? GAP : 0;
        if (table->width && widths[i] > table->width)
            widths[i] = table->width;
        total += widths[i];
    }
    while (table->width && total > table->width) {
        size_t widest = table->ncolumns;
        for (size_t i = 0; i < table->ncolumns; i++)
            if (table->columns[i].least && widths[i] > table->columns[i].least &&
                (widest == table->ncolumns || widths[i] > widths[widest]))
                widest = i;
        if (widest == table->ncolumns)
            break;
        widths[widest]--;
        total--;
    }
    if (!table->width || table->keeps_all)
        return;
    for (size_t i = 0, left = table->width; i < table->ncolumns; i++) {
        if (table->is_left_out[i])
            continue;
        if (widths[i] > left)
            widths[i] = left;
        left -= widths[i];
        left = left > GAP ? left - GAP : 0;
    }
}

/* Writes one cell, on a terminal cut to width, and the blanks after it unless it is the
 * last. */
static void
write_cell(const struct pawl_table *table, const struct pawl_cell *cell, size_t width,
    bool is_last, struct pawl_text *out)
{
    const char *text = table->is_brief && cell->brief ? cell->brief : cell->text;
    size_t len = text == cell->text ? cell->len : strlen(text);
    size_t used = text == cell->text ? cell->width : len;
    bool is_cut = table->width && used > width;
    bool has_colour = table->has_colour && cell->colour;

    if (is_cut) {
        len = pawl_glyph_fit(text, len, width - 1, &used);
        used++;
    }
    if (has_colour)
        pawl_text_printf(out, "\033[%sm", cell->colour);
    pawl_text_append(out, text, len);
    if (is_cut)
        pawl_text_puts(out, "\xe2\x80\xa6");
    if (has_colour)
        pawl_text_puts(out, "\033[0m");
    size_t nblanks = is_last ? 0 : GAP + (used < width ? width - used : 0);
    while (nblanks--)
        pawl_text_append(out, " ", 1);
}

static void
write_row(const struct pawl_table *table, const struct pawl_cell *row,
    const size_t *widths, struct pawl_text *out)
{
    size_t nshown = table->ncolumns;
    while (nshown > 1 && !widths[nshown - 1])
        nshown--;
    for (size_t i = 0; i < nshown; i++)
        if (!table->is_left_out[i])
            write_cell(table, &row[i], widths[i], i + 1 == nshown, out);
    pawl_text_append(out, "\n", 1);
}

void
pawl_table_flush(struct pawl_table *table, struct pawl_text *out)
{
    size_t widths[PAWL_TABLE_COLUMNS];

    assert(table->ncells % table->ncolumns == 0);
    if (!table->ncells)
        return;
    give_way(table);
    lay_out(table, widths);
    if (!table->has_header) {
        struct pawl_cell titles[PAWL_TABLE_COLUMNS];
        for (size_t i = 0; i < table->ncolumns; i++) {
            size_t len = strlen(table->columns[i].title);
            titles[i] = (struct pawl_cell){
                (char *)(uintptr_t)table->columns[i].title, len, len, "1", NULL};
        }
        write_row(table, titles, widths, out);
        table->has_header = true;
    }
    for (size_t i = 0; i < table->ncells; i += table->ncolumns)
        write_row(table, &table->cells[i], widths, out);
    drop_rows(table);
}
