/* times.h: durations and points in time as people write and read them.
 * Pure but for the local time zone. Durations are int64 nanoseconds, as on the wire. */
#ifndef PAWL_TIMES_H
#define PAWL_TIMES_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Room for any text that a call of this file writes. */
#define PAWL_TIMES_SIZE 64

/* Reads a duration as Go's time.ParseDuration does ("1m30s", "1.5h", "-2us").
 * False if s is none or does not fit; out_ns is then untouched. */
bool pawl_times_parse_duration(const char *s, int64_t *out_ns);

/* Writes ns so that the call above reads it back: 10s, 1m30s, 1h, 1.5ms, 0s. */
void pawl_times_format_duration(int64_t ns, char out[PAWL_TIMES_SIZE]);

/* Reads RFC 3339 with any fraction and offset. */
bool pawl_times_parse_point(const char *s, struct timespec *out_point);

/* Local time for a table cell, short: 15:04:05 today, "Nov 20 15:04" this year, else
 * 2025-11-20. */
void pawl_times_format_short(
    const struct timespec *t, const struct timespec *now, char out[PAWL_TIMES_SIZE]);

/* Local time in full: 2026-11-20 15:04:05. */
void pawl_times_format_full(const struct timespec *t, char out[PAWL_TIMES_SIZE]);

/* The time of another zone, RFC 3339, as its clock shows it: Sun 2027-03-28 03:00:00 +02:00.
 * What is none is given as it is. */
void pawl_times_format_sent(const char *s, char out[PAWL_TIMES_SIZE]);

/* A time as RFC 3339 in UTC, with nanoseconds where there are some. */
void pawl_times_format_utc(const struct timespec *t, char out[PAWL_TIMES_SIZE]);

/* Distance from now in at most two units: "in 9s", "3m20s ago", "now". */
void pawl_times_format_relative(
    const struct timespec *t, const struct timespec *now, char out[PAWL_TIMES_SIZE]);

#endif
