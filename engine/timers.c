/* timers.c: the wheel's table of timer records. Used by the wheel only, on the ticker's
 * thread. The table knows nothing of time; pages and the cells in them are the business
 * of cells.c. */
#include "timers.h"

#include <assert.h>

void
pawl_timers_init(struct pawl_timers *timers, const struct pawl_page_source *source,
    uint32_t first_generation)
{
    assert(first_generation > 0);
    pawl_cells_init(&timers->cells, source, sizeof(struct pawl_timer), PAWL_TIMER_OFFSET);
    assert(timers->cells.per_page < 1u << PAWL_TIMER_BITS);
    timers->first_generation = first_generation;
    timers->vacant = PAWL_TIMER_PAGES;
    timers->nplaces = 0;
}

void
pawl_timers_fini(struct pawl_timers *timers)
{
    pawl_cells_fini(&timers->cells);
}

static bool
add_page(struct pawl_timers *timers)
{
    bool is_new_place = timers->vacant == PAWL_TIMER_PAGES;
    uint32_t index = is_new_place ? timers->nplaces : timers->vacant;
    struct pawl_timer_page *place = &timers->directory[index];
    struct pawl_page *page;

    if (index == PAWL_TIMER_PAGES)
        return false;
    page = pawl_cells_grow(&timers->cells);
    if (!page)
        return false;
    if (is_new_place) {
        timers->nplaces++;
        place->newest = timers->first_generation;
    } else {
        timers->vacant = place->next;
    }
    place->page = page;
    page->index = index;
    page->newest = place->newest;
    return true;
}

bool
pawl_timers_take(struct pawl_timers *timers, void *item, uint32_t *out_number)
{
    struct pawl_page *page;
    struct pawl_timer *timer;

    if (timers->cells.nused == timers->cells.ncells && !add_page(timers))
        return false;
    timer = pawl_cells_take(&timers->cells);
    page = pawl_page_of(timer);
    if (timer->generation == 0)
        timer->generation = timers->directory[page->index].newest;
    timer->item = item;
    timer->is_pending = true;
    *out_number = page->index << PAWL_TIMER_BITS |
        (uint32_t)(timer - pawl_timers_first(page));
    return true;
}

void *
pawl_timers_give(struct pawl_timers *timers, uint32_t number)
{
    struct pawl_timer *timer = pawl_timers_at(timers, number);
    struct pawl_page *page;
    void *item;

    assert(timer && timer->is_pending);
    page = pawl_page_of(timer);
    item = timer->item;
    timer->is_pending = false;
    if (++timer->generation == UINT32_MAX)
        return item;    /* retired: neither the record nor its page comes back */
    if (timer->generation > page->newest)
        page->newest = timer->generation;
    pawl_cells_give(&timers->cells, timer);
    return item;
}

void
pawl_timers_drop(struct pawl_timers *timers)
{
    struct pawl_page *page = timers->cells.pages[PAWL_PAGE_EMPTY];
    struct pawl_timer_page *place = &timers->directory[page->index];

    place->page = NULL;
    place->newest = page->newest;
    place->next = timers->vacant;
    timers->vacant = page->index;
    pawl_cells_drop(&timers->cells, page);
}
