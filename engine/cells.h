/* cells.h: memory in equal cells, cut from pages of 256 KiB.
 *
 * The wheel keeps two pools: chunks of entries and timer records. A page lies at a
 * multiple of its size, so the page of a cell is found by masking the cell's address.
 * Cells are taken from the fullest pages at hand, so that after a peak whole pages become
 * empty and can go back to the system. Growing is apart from taking: whoever must not
 * fail later grows first.
 *
 * Threads: a pool and its pages belong to one thread. Nothing here locks or blocks. */
#ifndef PAWL_CELLS_H
#define PAWL_CELLS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PAWL_PAGE_BYTES = 256 * 1024 };

/* Where pages come from; a test puts its own here to count and to refuse. */
struct pawl_page_source {
    /* Gives zeroed memory at a multiple of PAWL_PAGE_BYTES, or NULL; `bytes` is a
     * multiple of it too. */
    void *(*map)(void *context, size_t bytes);
    void (*unmap)(void *context, void *start, size_t bytes);
    void *context;
};

/* The head of a page; the cells follow at the pool's offset. */
struct pawl_page {
    struct pawl_page *next;
    struct pawl_page *prev;
    void *free;        /* cells given back, each beginning with a pointer to the next */
    uint32_t nused;    /* cells taken */
    uint32_t nfresh;   /* cells from this one on were never taken and are still zero */
    uint32_t index;    /* the owner's: place of the page in its directory */
    uint32_t newest;   /* the owner's: no record of the page has a later generation */
};

enum pawl_page_fill {
    PAWL_PAGE_EMPTY,
    PAWL_PAGE_PARTIAL,
    PAWL_PAGE_FULL,
    PAWL_PAGE_FILLS,
};

struct pawl_cells {
    const struct pawl_page_source *source;
    struct pawl_page *pages[PAWL_PAGE_FILLS]; /* every page is on the list of its fill */
    size_t cell_bytes;
    size_t offset;       /* of the first cell in a page */
    uint32_t per_page;   /* cells */
    size_t npages;
    size_t ncells;       /* in all pages */
    size_t nused;        /* taken */
};

/* Pages from mmap, unmapped when dropped. */
const struct pawl_page_source *
pawl_page_source_system(void);

/* An empty pool of cells of `cell_bytes`, a multiple of 8, the first one at `offset`.
 * Owns: borrows source for as long as the pool lives. */
void
pawl_cells_init(struct pawl_cells *cells, const struct pawl_page_source *source,
                size_t cell_bytes, size_t offset);

/* Unmaps every page, whatever is still taken. */
void
pawl_cells_fini(struct pawl_cells *cells);

/* Maps one more page, all of it free. NULL: no memory, nothing changed. */
struct pawl_page *
pawl_cells_grow(struct pawl_cells *cells);

/* Unmaps a page on the list of the empty ones. */
void
pawl_cells_drop(struct pawl_cells *cells, struct pawl_page *page);

/* Private: puts a page on the list of its fill after nused changed. A page that ceases to
 * be full comes first there, so the fullest pages are taken from before the others. */
void
pawl_cells_relist(struct pawl_cells *cells, struct pawl_page *page,
    uint32_t nused_before);

/* The page in which a cell lies. */
static inline struct pawl_page *
pawl_page_of(void *cell)
{
    return (struct pawl_page *)((uintptr_t)cell & ~((uintptr_t)PAWL_PAGE_BYTES - 1));
}

/* Takes a free cell; there must be one (nused < ncells). A cell keeps what it held when
 * it was given back except for its first pointer, and is zero if it was never taken. */
static inline void *
pawl_cells_take(struct pawl_cells *cells)
{
    struct pawl_page *page = cells->pages[PAWL_PAGE_PARTIAL];
    void *cell;

    if (!page)
        page = cells->pages[PAWL_PAGE_EMPTY];
    cell = page->free;
    if (cell)
        memcpy(&page->free, cell, sizeof page->free);
    else
        cell = (char *)page + cells->offset + page->nfresh++ * cells->cell_bytes;
    page->nused++;
    cells->nused++;
    if (page->nused == 1 || page->nused == cells->per_page)
        pawl_cells_relist(cells, page, page->nused - 1);
    return cell;
}

/* Gives a cell back; its first pointer is overwritten. */
static inline void
pawl_cells_give(struct pawl_cells *cells, void *cell)
{
    struct pawl_page *page = pawl_page_of(cell);

    memcpy(cell, &page->free, sizeof page->free);
    page->free = cell;
    page->nused--;
    cells->nused--;
    if (page->nused == 0 || page->nused + 1 == cells->per_page)
        pawl_cells_relist(cells, page, page->nused + 1);
}

#endif
