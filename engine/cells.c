/* cells.c: pages from the system, and cells out of pages. Used by the wheel only, on the
 * ticker's thread. What a cell holds is its owner's affair, and so is the decision when
 * an empty page has been kept long enough. */
#include "cells.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

static void *
map_anywhere(size_t bytes)
{
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return start == MAP_FAILED ? NULL : start;
}

/* Maps one page more than asked for and cuts off what lies outside the aligned part. The
 * first attempt is the exact size: the kernel stacks mappings, so after one aligned page
 * the next one usually is aligned too. */
static void *
system_map(void *context, size_t bytes)
{
    char *start = map_anywhere(bytes);
    size_t before;

    (void)context;
    if (start == NULL || (uintptr_t)start % PAWL_PAGE_BYTES == 0)
        return start;
    munmap(start, bytes);
    start = map_anywhere(bytes + PAWL_PAGE_BYTES);
    if (start == NULL)
        return NULL;
    before = PAWL_PAGE_BYTES - (uintptr_t)start % PAWL_PAGE_BYTES;
    munmap(start, before);
    if (before < PAWL_PAGE_BYTES)
        munmap(start + before + bytes, PAWL_PAGE_BYTES - before);
    return start + before;
}

static void
system_unmap(void *context, void *start, size_t bytes)
{
    (void)context;
    munmap(start, bytes);
}

const struct pawl_page_source *
pawl_page_source_system(void)
{
    static const struct pawl_page_source source = {system_map, system_unmap, NULL};

    return &source;
}

static void
list_add(struct pawl_cells *cells, struct pawl_page *page, enum pawl_page_fill fill)
{
    page->prev = NULL;
    page->next = cells->pages[fill];
    if (page->next != NULL)
        page->next->prev = page;
    cells->pages[fill] = page;
}

static void
list_remove(struct pawl_cells *cells, struct pawl_page *page, enum pawl_page_fill fill)
{
    if (page->prev != NULL)
        page->prev->next = page->next;
    else
        cells->pages[fill] = page->next;
    if (page->next != NULL)
        page->next->prev = page->prev;
}

static enum pawl_page_fill
fill_of(const struct pawl_cells *cells, uint32_t nused)
{
    if (nused == 0)
        return PAWL_PAGE_EMPTY;
    return nused < cells->per_page ? PAWL_PAGE_PARTIAL : PAWL_PAGE_FULL;
}

void
pawl_cells_relist(struct pawl_cells *cells, struct pawl_page *page, uint32_t nused_before)
{
    enum pawl_page_fill before = fill_of(cells, nused_before);
    enum pawl_page_fill after = fill_of(cells, page->nused);

    if (after != before) {
        list_remove(cells, page, before);
        list_add(cells, page, after);
    }
}

void
pawl_cells_init(struct pawl_cells *cells, const struct pawl_page_source *source,
                size_t cell_bytes, size_t offset)
{
    assert(cell_bytes % sizeof(void *) == 0 && offset >= sizeof(struct pawl_page));
    memset(cells, 0, sizeof(*cells));
    cells->source = source;
    cells->cell_bytes = cell_bytes;
    cells->offset = offset;
    cells->per_page = (uint32_t)((PAWL_PAGE_BYTES - offset) / cell_bytes);
}

void
pawl_cells_fini(struct pawl_cells *cells)
{
    for (int fill = 0; fill < PAWL_PAGE_FILLS; fill++) {
        struct pawl_page *page = cells->pages[fill];

        while (page != NULL) {
            struct pawl_page *next = page->next;

            cells->source->unmap(cells->source->context, page, PAWL_PAGE_BYTES);
            page = next;
        }
        cells->pages[fill] = NULL;
    }
}

struct pawl_page *
pawl_cells_grow(struct pawl_cells *cells)
{
    struct pawl_page *page = cells->source->map(cells->source->context, PAWL_PAGE_BYTES);

    if (page == NULL)
        return NULL;
    list_add(cells, page, PAWL_PAGE_EMPTY);
    cells->npages++;
    cells->ncells += cells->per_page;
    return page;
}

void
pawl_cells_drop(struct pawl_cells *cells, struct pawl_page *page)
{
    assert(page->nused == 0);
    list_remove(cells, page, PAWL_PAGE_EMPTY);
    cells->npages--;
    cells->ncells -= cells->per_page;
    cells->source->unmap(cells->source->context, page, PAWL_PAGE_BYTES);
}
