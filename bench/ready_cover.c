/* ready_cover.c: see ready_cover.h. */
#include "ready_cover.h"

#include "ready.h"

#include <stdlib.h>
#include <string.h>

#include <pawl.h>

struct pawl_ready_cover {
    struct pawl_ready ready;
};

struct pawl_ready_cover *
pawl_ready_cover_new(void)
{
    size_t size = (sizeof(struct pawl_ready_cover) + 63) & ~(size_t) 63;
    struct pawl_ready_cover *cover = aligned_alloc(64, size);

    if (!cover)
        return NULL;
    memset(cover, 0, size);
    if (pawl_ready_init(&cover->ready, 2) == PAWL_OK)
        return cover;
    free(cover);
    return NULL;
}

void
pawl_ready_cover_free(struct pawl_ready_cover *cover)
{
    if (cover)
        pawl_ready_fini(&cover->ready);
    free(cover);
}

size_t
pawl_ready_cover_capacity(void)
{
    return PAWL_READY_SLOTS - 1;
}

bool
pawl_ready_cover_put(struct pawl_ready_cover *cover, void *item)
{
    return pawl_ready_put(&cover->ready, item, false);
}

void *
pawl_ready_cover_take(struct pawl_ready_cover *cover)
{
    bool is_late;

    return pawl_ready_take(&cover->ready, &is_late);
}
