/* moment.c: reads a point in time, exact or by the clock on the wall.
 * One thread. A wall time that clocks leave out or repeat is told apart, never guessed. */
#define _GNU_SOURCE 1
#include "moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes "18:00" or "18:00:30" to the end of s. */
static bool
read_time_of_day(const char *s, struct tm *out)
{
    static const char *const formats[] = {"%H:%M:%S", "%H:%M"};

    for (size_t i = 0; i < 2; i++) {
        struct tm tm = *out;
        const char *end = *s >= '0' && *s <= '9' ? strptime(s, formats[i], &tm) : NULL;

        if (end && !*end && tm.tm_sec < 60) {
            *out = tm;
            return true;
        }
    }
    return false;
}

/* Takes "2026-12-24 " or "2026-12-24T"; gives what follows, or NULL. */
static const char *
read_date(const char *s, struct tm *out)
{
    struct tm tm = *out;
    const char *end = strlen(s) > 10 && s[4] == '-' ? strptime(s, "%Y-%m-%d", &tm) : NULL;

    if (!end || end != s + 10 || (*end != ' ' && *end != 'T'))
        return NULL;
    struct tm day = tm;
    timegm(&day);
    if (day.tm_mday != tm.tm_mday) /* the month has no such day */
        return NULL;
    *out = tm;
    return end + 1;
}

static bool
is_same_wall(const struct tm *a, const struct tm *b)
{
    return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday &&
           a->tm_hour == b->tm_hour && a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

/* Finds the instant of a wall time; days past the end of a month are carried over. */
static enum pawl_moment
resolve(struct tm tm, struct timespec *out)
{
    struct tm day = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday};
    struct tm found, other;

    timegm(&day);
    day.tm_hour = tm.tm_hour;
    day.tm_min = tm.tm_min;
    day.tm_sec = tm.tm_sec;
    found = day;
    found.tm_isdst = -1;
    *out = (struct timespec){.tv_sec = mktime(&found)};
    if (!is_same_wall(&found, &day))
        return PAWL_MOMENT_GAP;
    for (int minutes = -120; minutes <= 120; minutes += 30) {
        time_t near = out->tv_sec + minutes * 60;

        if (minutes && localtime_r(&near, &other) && is_same_wall(&other, &day))
            return PAWL_MOMENT_FOLD;
    }
    return PAWL_MOMENT_LOCAL;
}

/* Reads a time of one of the next days. */
static enum pawl_moment
read_near(const char *s, const struct timespec *now, struct timespec *out)
{
    static const char *const days[] = {"today ", "tomorrow "};
    enum pawl_moment moment;
    int word = -1;
    struct tm tm;

    localtime_r(&now->tv_sec, &tm);
    tm.tm_sec = 0;
    for (int i = 0; i < 2; i++)
        if (strncmp(s, days[i], strlen(days[i])) == 0) {
            s += strlen(days[i]);
            word = i;
        }
    if (!read_time_of_day(s, &tm))
        return PAWL_MOMENT_NONE;
    tm.tm_mday += word == 1;
    moment = resolve(tm, out);
    if (word < 0 && out->tv_sec <= now->tv_sec) {
        tm.tm_mday++;
        moment = resolve(tm, out);
    }
    return moment;
}

static void
format(const struct timespec *point, char out[PAWL_TIMES_SIZE])
{
    struct tm tm;
    size_t len = 0;

    if (localtime_r(&point->tv_sec, &tm))
        len = strftime(out, PAWL_TIMES_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + len, PAWL_TIMES_SIZE - len, "%c%02ld:%02ld",
        tm.tm_gmtoff < 0 ? '-' : '+', labs(tm.tm_gmtoff) / 3600,
        labs(tm.tm_gmtoff) / 60 % 60);
}

enum pawl_moment
pawl_moment_read(const char *s, const struct timespec *now, struct timespec *out_point,
    char out_text[PAWL_TIMES_SIZE])
{
    enum pawl_moment moment;
    struct tm tm = {0};
    const char *rest = read_date(s, &tm);

    if (pawl_times_parse_point(s, out_point))
        moment = PAWL_MOMENT_EXACT;
    else if (!rest)
        moment = read_near(s, now, out_point);
    else
        moment = read_time_of_day(rest, &tm) ? resolve(tm, out_point) : PAWL_MOMENT_NONE;
    if (moment == PAWL_MOMENT_EXACT || moment == PAWL_MOMENT_LOCAL)
        format(out_point, out_text);
    return moment;
}
