/* store_dir.h: the directory of a store: who holds it, and the space set aside on its disk.
 * A struct pawl_store_dir is used by one thread at a time. */
#ifndef PAWL_STORE_DIR_H
#define PAWL_STORE_DIR_H

#include <pawl.h>

#define PAWL_RESERVE_BYTES ((off_t) 16 << 20)

struct pawl_store_dir {
    char *path;                     /* absolute */
    int fd;                         /* the directory */
    int lock_fd;                    /* `lock`, locked, our pid in it */
    int reserve_fd;                 /* `reserve`; -1 before the first take */
    bool has_reserve;
};

/* Opens the directory and locks it; makes it and its parents where may_make says so.
 * Threads: any. Blocks: on the disk. Owns: fini frees; not needed after a failure.
 * Errors: PAWL_EBUSY, PAWL_ESYS, PAWL_EFULL, PAWL_ENOMEM. */
int
pawl_store_dir_init(struct pawl_store_dir *dir, const char *path, bool may_make,
                    struct pawl_err *err);

void
pawl_store_dir_fini(struct pawl_store_dir *dir);

/* Makes sure that the whole reserve is allocated; false: there is no room. Blocks: on the disk. */
bool
pawl_store_dir_take_reserve(struct pawl_store_dir *dir);

/* Gives the reserve back to the file system; false: there was none. Blocks: on the disk. */
bool
pawl_store_dir_give_reserve(struct pawl_store_dir *dir);

#endif
