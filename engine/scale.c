/* scale.c: the scale of a store's due times. */
#include "scale.h"

#include <stdio.h>
#include <string.h>

int64_t
pawl_scale_begin(struct pawl_scale *scale, const char *boot, int64_t elapsed_ns, int64_t offset_ns)
{
    int64_t wall_ns = elapsed_ns + offset_ns, behind_ns = 0;

    if (scale->boot[0] == '\0') {
        scale->anchor_ns = offset_ns;
    } else if (boot[0] == '\0' || strcmp(scale->boot, boot) != 0) {
        if (wall_ns < scale->noted_ns)
            behind_ns = scale->noted_ns - wall_ns;
        scale->anchor_ns = offset_ns - (scale->offset_ns - scale->anchor_ns) + behind_ns;
    }
    snprintf(scale->boot, sizeof scale->boot, "%s", boot);
    scale->offset_ns = offset_ns;
    return behind_ns;
}
