/* zone.c: the names of the installed zones, the cache of loaded ones, and look-ups in a
 * zone's table.
 *
 * Any thread. The mutex guards the cache alone: a zone is read from its file without it, and of two
 * threads that read the same one the first keeps its own. Look-ups take no lock. */
#include "zone.h"

#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "calendar.h"
#include "err.h"

#define DATABASE "/usr/share/zoneinfo"
#define CYCLE_YEAR_MIN 2370      /* changes after it come from a rule, not from the file */
#define CYCLE_S (PAWL_DAYS_400_YEARS * PAWL_DAY_S)

/* Immutable once it is in the cache. */
struct pawl_zone {
    char name[PAWL_ZONE_NAME_MAX + 1];
    size_t nchanges;
    const struct pawl_zone_change *changes;
    int64_t cycle_s;            /* from here on it repeats every 400 years; INT64_MAX: never */
};

static const struct pawl_zone_change utc_change = {INT64_MIN, 0};
static const struct pawl_zone utc = {"UTC", 1, &utc_change, INT64_MAX};

static pthread_once_t names_once = PTHREAD_ONCE_INIT;
static char **names;            /* set once by read_names(), then read-only */
static size_t nnames, names_cap;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pawl_zone **zones;        /* under lock: one for each name, NULL: not loaded */

static pthread_once_t local_once = PTHREAD_ONCE_INIT;
static const struct pawl_zone *local_zone = &utc;       /* set once by find_local() */

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Only what cannot lead out of the database: no empty part, none that begins with a dot. */
static bool
is_name(const char *name, size_t len)
{
    if (len == 0 || len > PAWL_ZONE_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool begins = i == 0 || name[i - 1] == '/';

        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", name[i]) &&
            name[i] != '\0')
            continue;
        if (begins || name[i] == '\0' || !strchr("0123456789+-_/", name[i]))
            return false;
    }
    return name[len - 1] != '/';
}

static void
add_name(const char *name, size_t len)
{
    if (!is_name(name, len))
        return;
    if (nnames == names_cap) {
        size_t cap = names_cap == 0 ? 1024 : 2 * names_cap;
        char **larger = realloc(names, cap * sizeof *names);

        if (larger == NULL)
            return;
        names = larger;
        names_cap = cap;
    }
    names[nnames] = strndup(name, len);
    nnames += names[nnames] != NULL;
}

/* tzdata.zi: "Z NAME ..." begins a zone, "L TARGET NAME" is a link. */
static void
read_list(FILE *file)
{
    char line[512];

    while (fgets(line, sizeof line, file) != NULL) {
        const char *name = line + 2;

        if (strncmp(line, "L ", 2) == 0)
            name += strcspn(name, " ") + 1;
        else if (strncmp(line, "Z ", 2) != 0)
            continue;
        add_name(name, strcspn(name, " \n"));
    }
}

static int
visit(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
    const char *name = path + strlen(DATABASE) + 1;

    (void) stat;
    (void) ftw;
    if ((kind == FTW_F || kind == FTW_SL) && strncmp(name, "posix", 5) != 0 &&
        strncmp(name, "right/", 6) != 0 && strcmp(name, "localtime") != 0 &&
        strchr(name, '.') == NULL && *name < 'a')
        add_name(name, strlen(name));
    return 0;
}

static void
read_names(void)
{
    FILE *file = fopen(DATABASE "/tzdata.zi", "re");

    if (file != NULL) {
        read_list(file);
        fclose(file);
    }
    if (nnames == 0)
        nftw(DATABASE, visit, 8, FTW_PHYS);
    if (nnames > 0)
        qsort(names, nnames, sizeof *names, compare_names);
    zones = calloc(nnames + 1, sizeof(struct pawl_zone *));
}

const char *const *
pawl_zone_names(size_t *out_nnames)
{
    pthread_once(&names_once, read_names);
    *out_nnames = nnames;
    return (const char *const *) names;
}

/* The place of a name among the installed ones, -1 for none. */
static ptrdiff_t
find_name(const char *name)
{
    char **found;

    pthread_once(&names_once, read_names);
    found = nnames == 0 || zones == NULL
                ? NULL
                : bsearch(&name, names, nnames, sizeof *names, compare_names);
    return found == NULL ? -1 : found - names;
}

static int
refuse_name(const char *name, size_t len, struct pawl_err *err)
{
    pthread_once(&names_once, read_names);
    for (size_t i = 0; i < nnames; i++)
        if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0)
            return pawl_err_set(err, PAWL_EINVAL, "timezone",
                "there is no time zone \"%.*s\"; did you mean %s?", (int) len, name,
                names[i]);
    return pawl_err_set(err, PAWL_EINVAL, "timezone",
        "there is no time zone \"%.*s\": it must be a name of the IANA database such as "
        "Europe/Berlin or UTC%s", (int) (len < 40 ? len : 40), name,
        nnames == 0 ? " (the database is not installed)" : "");
}

static int
read_zone(const char *name, struct pawl_zone **out, struct pawl_err *err)
{
    struct pawl_zone *zone = calloc(1, sizeof *zone);
    struct pawl_zone_change *changes = NULL;
    struct pawl_date last;
    int code = zone == NULL ? PAWL_ENOMEM
                            : pawl_zone_changes(name, &changes, &zone->nchanges);

    if (code != PAWL_OK) {
        free(zone);
        return code == PAWL_ENOMEM
                   ? pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory")
                   : pawl_err_set(err, PAWL_EINVAL, "timezone",
                         "the time zone %s is listed, but its file cannot be read", name);
    }
    strcpy(zone->name, name);
    zone->changes = changes;
    /* The 400 years that end with the year of the last change follow the zone's rule alone. */
    last = pawl_calendar_date(changes[zone->nchanges - 1].begin_s / PAWL_DAY_S);
    zone->cycle_s = zone->nchanges > 1 && last.year >= CYCLE_YEAR_MIN
                        ? pawl_calendar_day(last.year, 1, 1) * PAWL_DAY_S
                        : INT64_MAX;
    *out = zone;
    return PAWL_OK;
}

/* Puts a zone into its place in the cache, if that is empty, and gives what is there then. */
static const struct pawl_zone *
offer_zone(size_t place, struct pawl_zone *zone)
{
    const struct pawl_zone *there;

    pthread_mutex_lock(&lock);
    if (zones[place] == NULL)
        zones[place] = zone;
    there = zones[place];
    pthread_mutex_unlock(&lock);
    return there;
}

static void
free_zone(struct pawl_zone *zone)
{
    free((void *) zone->changes);
    free(zone);
}

int
pawl_zone_load(const char *name, size_t len, const struct pawl_zone **out_zone,
               struct pawl_err *err)
{
    char copy[PAWL_ZONE_NAME_MAX + 1];
    const struct pawl_zone *zone;
    struct pawl_zone *read = NULL;
    ptrdiff_t place;
    int code;

    if (len == 3 && memcmp(name, "UTC", 3) == 0) {
        *out_zone = &utc;
        return PAWL_OK;
    }
    if (!is_name(name, len)) {
        size_t shown = 0;

        while (shown < len && shown < 40 && name[shown] > ' ' && name[shown] < 127)
            shown++;
        return refuse_name(name, shown, err);
    }
    memcpy(copy, name, len);
    copy[len] = '\0';
    place = find_name(copy);
    if (place < 0)
        return refuse_name(name, len, err);
    zone = offer_zone((size_t) place, NULL);
    if (zone == NULL) {
        code = read_zone(copy, &read, err);
        if (code != PAWL_OK)
            return code;
        zone = offer_zone((size_t) place, read);
        if (zone != read)
            free_zone(read);
    }
    *out_zone = zone;
    return PAWL_OK;
}

const struct pawl_zone *
pawl_zone_utc(void)
{
    return &utc;
}

/* The first line of /etc/timezone. */
static const char *
read_timezone_file(char line[128])
{
    FILE *file = fopen("/etc/timezone", "re");

    line[0] = '\0';
    if (file == NULL)
        return line;
    if (fgets(line, 128, file) == NULL)
        line[0] = '\0';
    line[strcspn(line, " \t\n")] = '\0';
    fclose(file);
    return line;
}

static void
find_local(void)
{
    const char *name = getenv("TZ"), *part;
    char target[PATH_MAX], line[128];
    ssize_t len;

    if (name != NULL && *name == '\0')
        return;                         /* as POSIX has it: UTC */
    if (name != NULL) {
        name += *name == ':';
        part = strstr(name, "zoneinfo/");
        name = part != NULL ? part + strlen("zoneinfo/") : name;
        if (pawl_zone_load(name, strlen(name), &local_zone, NULL) == PAWL_OK)
            return;
    }
    len = readlink("/etc/localtime", target, sizeof target - 1);
    if (len > 0) {
        target[len] = '\0';
        part = strstr(target, "zoneinfo/");
        if (part != NULL && pawl_zone_load(part + strlen("zoneinfo/"),
                strlen(part + strlen("zoneinfo/")), &local_zone, NULL) == PAWL_OK)
            return;
    }
    name = read_timezone_file(line);
    pawl_zone_load(name, strlen(name), &local_zone, NULL);
}

const struct pawl_zone *
pawl_zone_local(void)
{
    pthread_once(&local_once, find_local);
    return local_zone;
}

const char *
pawl_zone_name(const struct pawl_zone *zone)
{
    return zone->name;
}

void
pawl_zone_at(const struct pawl_zone *zone, int64_t second, struct pawl_zone_span *out_span)
{
    int64_t cycles = second < zone->cycle_s
                         ? 0
                         : (second - zone->cycle_s) / CYCLE_S + 1;
    int64_t shift = cycles * CYCLE_S, at = second - shift;
    size_t low = 0, high = zone->nchanges;

    while (high - low > 1) {            /* changes[low].begin_s <= at < that of high */
        size_t middle = low + (high - low) / 2;

        if (zone->changes[middle].begin_s <= at)
            low = middle;
        else
            high = middle;
    }
    out_span->begin_s = low == 0 ? INT64_MIN : zone->changes[low].begin_s + shift;
    out_span->end_s =
        high == zone->nchanges ? INT64_MAX : zone->changes[high].begin_s + shift;
    out_span->offset_s = zone->changes[low].offset_s;
    out_span->before_s = zone->changes[low > 0 ? low - 1 : 0].offset_s;
}

struct pawl_zone_instants
pawl_zone_from_wall(const struct pawl_zone *zone, int64_t wall)
{
    struct pawl_zone_span span;
    int64_t at = wall - PAWL_ZONE_OFFSET_MAX;

    /* The first span whose wall clock shows a later time than this before it ends. */
    for (pawl_zone_at(zone, at, &span);
         span.end_s != INT64_MAX && wall >= span.end_s + span.offset_s;)
        pawl_zone_at(zone, span.end_s, &span);
    if (span.begin_s != INT64_MIN && wall < span.begin_s + span.offset_s)
        return (struct pawl_zone_instants){PAWL_ZONE_GAP, wall - span.before_s,
            span.begin_s, wall - span.offset_s};

    struct pawl_zone_instants found = {PAWL_ZONE_UNIQUE, wall - span.offset_s,
        wall - span.offset_s, wall - span.offset_s};

    if (span.end_s != INT64_MAX) {
        pawl_zone_at(zone, span.end_s, &span);
        if (wall >= span.begin_s + span.offset_s) {
            found.kind = PAWL_ZONE_FOLD;
            found.change_s = span.begin_s;
            found.after_s = wall - span.offset_s;
        }
    }
    return found;
}
