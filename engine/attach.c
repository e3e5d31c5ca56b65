/* attach.c: gives a caller's thread its handle, and takes it back with all that it waits for. */
#include "shared.h"
#include "watch.h"

#include <stdlib.h>

int
pawl_attach(struct pawl *engine, void (*wake)(void *wake_ctx), void *wake_ctx,
            struct pawl_handle **out_handle)
{
    struct pawl_handle *handle = malloc(sizeof *handle);

    if (!handle)
        return PAWL_ENOMEM;
    if (pawl_handle_init(handle, engine, wake, wake_ctx) != PAWL_OK) {
        free(handle);
        return PAWL_ENOMEM;
    }
    *out_handle = handle;
    return PAWL_OK;
}

void
pawl_detach(struct pawl_handle *handle)
{
    if (!handle)
        return;
    pawl_watch_fini(handle);
    pawl_handle_fini(handle);
    free(handle);
}
