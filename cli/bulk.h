/* bulk.h: tasks chosen by what they have instead of by their IDs: the flags that say which, and one
 * change of all of them. One thread. */
#ifndef PAWL_BULK_H
#define PAWL_BULK_H

#include "command.h"

/* Rows of the table of flags of a command that can change all tasks that match. */
#define PAWL_BULK_FLAGS                                                                  \
    {"tag", NULL, PAWL_FLAG_STRING, "TAG",                                               \
        "instead of IDs: all tasks with this tag; repeated: that have all of them"},     \
    {"group", NULL, PAWL_FLAG_STRING, "NAME", "all in this group"},                      \
    {"prefix", NULL, PAWL_FLAG_STRING, "TEXT", "all whose ID begins with it"},           \
    {"type", NULL, PAWL_FLAG_CHOICE, "delay|cron", "all of this type"},                  \
    {"status", NULL, PAWL_FLAG_STRING, "STATE", "all in this state; may be repeated"},   \
    {"all", NULL, PAWL_FLAG_BOOL, NULL, "all tasks, or all that match the above"},       \
    {"dry-run", NULL, PAWL_FLAG_BOOL, NULL, "only say how many match"},                  \
    {"yes", "y", PAWL_FLAG_BOOL, NULL, "do not ask at a terminal"}

/* The table of those that have no other flag. */
extern const struct pawl_flag pawl_bulk_flags[];

/* Appends &name=value for each time that the flag of that name was given. */
void pawl_bulk_add_all(
    const struct pawl_cli *cli, struct pawl_text *path, const char *name);

/* Whether the command line says which tasks without naming them. */
bool pawl_bulk_is_asked(const struct pawl_cli *cli);

/* Changes them by method and path (without a query), and says how many there were; done: "stopped".
 * kill ends what they run, too. Asks first at a terminal.
 * PAWL_EXIT_PARTLY: some were refused; PAWL_EXIT_NOT_FOUND: none matched. */
int pawl_bulk(
    struct pawl_cli *cli, const char *method, const char *path, bool kill, const char *done);

#endif
