/* json_write.c: task documents and their pieces as JSON text; any thread.
 *
 * On the path of every answer: room is reserved once for all fixed parts of a piece,
 * strings are copied eight bytes at a time until one needs an escape, and nothing is
 * formatted by printf. */
#include "json_write.h"

#include <endian.h>
#include <signal.h>
#include <string.h>

#include "../engine/utf8.h"
#include "../engine/zone.h"
#include "timefmt.h"

#define NUMBER_MAX 20           /* characters of any 64-bit number */
#define STRING_SLACK 16         /* bytes past the text that an escape and quotes need */
#define HEAD_FIXED 1024         /* more than a head without id and script: about 600 */
#define RESULT_FIXED 640        /* more than a result without its texts: about 400 */

#define EVERY(byte) (UINT64_C(0x0101010101010101) * (byte))

/* --- Pieces: each writes at a place with room, and returns the place behind --- */

/* Inlined with a literal, the length is a constant. */
static inline __attribute__((always_inline)) char *
put(char *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

static inline char *
put_uint(char *at, uint64_t value)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    char digits[NUMBER_MAX], *end = digits + sizeof digits, *front = end;

    if (value < 10) {
        *at = (char) ('0' + value);
        return at + 1;
    }
    while (value >= 100) {
        front -= 2;
        memcpy(front, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        front -= 2;
        memcpy(front, pairs + value * 2, 2);
    } else {
        *--front = (char) ('0' + value);
    }
    memcpy(at, front, (size_t) (end - front));
    return at + (end - front);
}

static inline char *
put_int(char *at, int64_t value)
{
    if (value >= 0)
        return put_uint(at, (uint64_t) value);
    *at = '-';
    return put_uint(at + 1, -(uint64_t) value);
}

static char *
put_time(char *at, int64_t wall_ns)
{
    if (wall_ns == PAWL_NO_TIME)
        return put(at, "null");
    *at++ = '"';
    at += pawl_time_format(wall_ns, at);
    *at++ = '"';
    return at;
}

static char *
put_signal(char *at, int signal)
{
    const char *name = sigabbrev_np(signal);

    if (signal == 0)
        return put(at, "null");
    at = put(at, "\"SIG");
    if (name != NULL) {
        at = put(at, name);
    } else if (signal >= SIGRTMIN && signal <= SIGRTMAX) {
        at = put(at, "RTMIN");
        if (signal > SIGRTMIN) {
            *at++ = '+';
            at = put_int(at, signal - SIGRTMIN);
        }
    } else {
        at = put_int(at, signal);
    }
    *at++ = '"';
    return at;
}

/* --- Strings --- */

static char *
put_escape(char *at, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[256] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
        ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };

    *at++ = '\\';
    if (letters[c] != 0) {
        *at++ = letters[c];
        return at;
    }
    at = put(at, "u00");
    *at++ = hex[c >> 4];
    *at++ = hex[c & 15];
    return at;
}

/* What must not be copied as it is: controls, quote, backslash, and what is not ASCII. */
static bool
is_special(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c >= 0x80;
}

/* Copies plain bytes from text to at until a special one or the end, and returns how
 * many. Writes up to 7 bytes more than that. */
static size_t
copy_plain(char *at, const char *text, size_t len)
{
    size_t done = 0;

    for (; len - done >= 8; done += 8) {
        uint64_t raw, word, quote, backslash, special;

        memcpy(&raw, text + done, 8);
        memcpy(at + done, &raw, 8);
        word = le64toh(raw);
        quote = word ^ EVERY('"');
        backslash = word ^ EVERY('\\');
        /* The top bit of each special byte; a borrow can flag only bytes above one. */
        special = (word | ((word - EVERY(0x20)) & ~word) | ((quote - EVERY(1)) & ~quote) |
                   ((backslash - EVERY(1)) & ~backslash)) & EVERY(0x80);
        if (special != 0)
            return done + (size_t) __builtin_ctzll(special) / 8;
    }
    for (; done < len && !is_special((unsigned char) text[done]); done++)
        at[done] = text[done];
    return done;
}

/* Writes what is special at text, a byte or a run of characters that are not ASCII,
 * and returns how many bytes it was. Of those that are longer written than read, it
 * takes one. */
static size_t
put_special(char **at, const char *text, size_t len)
{
    size_t done = 0, taken;
    unsigned point;

    if ((unsigned char) *text < 0x80) {
        *at = put_escape(*at, (unsigned char) *text);
        return 1;
    }
    while (done < len && (unsigned char) text[done] >= 0x80) {
        taken = pawl_utf8_next(text + done, len - done, &point);
        if (taken == 0) {
            *at = put(*at, "\xef\xbf\xbd");
            return done + 1;
        }
        for (; taken > 0; taken--)
            *(*at)++ = text[done++];
    }
    return done;
}

void
pawl_json_write_string(struct pawl_buffer *buffer, const char *text, size_t len)
{
    char *at = pawl_buffer_reserve(buffer, len + STRING_SLACK);
    size_t done = 0;

    if (at == NULL)
        return;
    *at++ = '"';
    while (done < len) {
        size_t plain = copy_plain(at, text + done, len - done);

        at += plain;
        done += plain;
        if (done == len)
            break;
        done += put_special(&at, text + done, len - done);
        /* An escape is longer than its byte: there must again be room for the rest. */
        buffer->len = (size_t) (at - buffer->data);
        at = pawl_buffer_reserve(buffer, len - done + STRING_SLACK);
        if (at == NULL)
            return;
    }
    *at++ = '"';
    buffer->len = (size_t) (at - buffer->data);
}

/* --- Single values --- */

void
pawl_json_write_int(struct pawl_buffer *buffer, int64_t value)
{
    char *at = pawl_buffer_reserve(buffer, NUMBER_MAX);

    if (at != NULL)
        buffer->len = (size_t) (put_int(at, value) - buffer->data);
}

void
pawl_json_write_uint(struct pawl_buffer *buffer, uint64_t value)
{
    char *at = pawl_buffer_reserve(buffer, NUMBER_MAX);

    if (at != NULL)
        buffer->len = (size_t) (put_uint(at, value) - buffer->data);
}

void
pawl_json_write_time(struct pawl_buffer *buffer, int64_t wall_ns)
{
    char *at = pawl_buffer_reserve(buffer, PAWL_TIME_MAX + 2);

    if (at != NULL)
        buffer->len = (size_t) (put_time(at, wall_ns) - buffer->data);
}

void
pawl_json_write_signal(struct pawl_buffer *buffer, int signal)
{
    char *at = pawl_buffer_reserve(buffer, 32);

    if (at != NULL)
        buffer->len = (size_t) (put_signal(at, signal) - buffer->data);
}

/* --- The document --- */

/* Due times without a result, by reason. */
static char *
put_passed(char *at, const struct pawl_view *view)
{
    at = put_uint(put(at, ",\"skipped\":{\"overlap\":"), view->skipped_overlap);
    at = put_uint(put(at, ",\"condition\":"), view->skipped_condition);
    at = put_uint(put(at, ",\"group\":"), view->skipped_group);
    at = put_uint(put(at, "},\"missed\":"), view->missed);
    return put_uint(put(at, ",\"missedPaused\":"), view->missed_paused);
}

/* What it waits for, and which attempt is in progress, or waits. */
static char *
put_attempt(char *at, const struct pawl_view *view)
{
    static const char *const waiting[] = {
        [PAWL_WAITING_NOTHING] = ",\"waitingFor\":null,\"attempt\":",
        [PAWL_WAITING_RETRY] = ",\"waitingFor\":\"retry\",\"attempt\":",
        [PAWL_WAITING_GROUP] = ",\"waitingFor\":\"group\",\"attempt\":",
        [PAWL_WAITING_WORKER] = ",\"waitingFor\":\"worker\",\"attempt\":",
    };

    at = put(at, waiting[view->waiting]);
    if (view->waits_for_retry)
        return put_int(at, view->attempt + 1);
    if (view->running == 0)
        return put(at, "null");
    return put_int(at, view->attempt > 0 ? view->attempt : 1);
}

static char *
put_end_reason(char *at, enum pawl_end_reason reason)
{
    if (reason == PAWL_END_NONE)
        return put(at, ",\"endReason\":null");
    at = put(put(at, ",\"endReason\":\""), pawl_end_reason_name(reason));
    return put(at, "\"");
}

/* What was skipped or missed, what is going on, why it is over: of a new task nothing. */
static char *
put_activity(char *at, const struct pawl_view *view)
{
    uint64_t npassed = view->skipped_overlap | view->skipped_condition | view->skipped_group |
                       view->missed;

    if (npassed == 0 && view->running == 0 && view->waiting == PAWL_WAITING_NOTHING &&
        view->end_reason == PAWL_END_NONE)
        return put(at, ",\"skipped\":{\"overlap\":0,\"condition\":0,\"group\":0},\"missed\":0,"
                       "\"missedPaused\":0,\"waitingFor\":null,\"attempt\":null,"
                       "\"endReason\":null,\"running\":0");
    at = put_attempt(put_passed(at, view), view);
    return put_int(put(put_end_reason(at, view->end_reason), ",\"running\":"), view->running);
}

/* What follows the script, up to the results. */
static char *
put_state(char *at, const struct pawl_view *view)
{
    at = put_int(put(at, ",\"keepResults\":"), view->keep_results);
    at = put_int(put(at, ",\"status\":"), (int64_t) view->status);
    at = put(put(at, ",\"state\":\""), pawl_status_name(view->status));
    at = put(at, view->is_paused ? "\",\"paused\":true" : "\",\"paused\":false");
    at = put_int(put(at, ",\"version\":"), view->version);
    at = put_time(put(at, ",\"lastStatusUpdated\":"), view->updated_ns);
    at = put_time(put(at, ",\"createdAt\":"), view->created_ns);
    at = put_time(put(at, ",\"nextRun\":"), view->next_ns);
    at = put_time(put(at, ",\"previousRun\":"), view->previous_ns);
    at = put_uint(put(at, ",\"runCount\":"), view->run_count);
    at = put_uint(put(at, ",\"failureCount\":"), view->failure_count);
    at = put_activity(at, view);
    return put(at, ",\"results\":[");
}

void
pawl_json_write_passed(struct pawl_buffer *buffer, const struct pawl_view *view)
{
    char *at = pawl_buffer_reserve(buffer, HEAD_FIXED);

    if (at != NULL)
        buffer->len = (size_t) (put_passed(at, view) - buffer->data);
}

/* Its name needs no escape; there is room. */
static char *
put_local_zone(char *at)
{
    const char *name = pawl_zone_name(pawl_zone_local());
    size_t len = strlen(name);

    *at++ = '"';
    memcpy(at, name, len);
    at[len] = '"';
    return at + len + 1;
}

static void
write_tags(struct pawl_buffer *buffer, const struct pawl_view *view)
{
    for (size_t i = 0; i < view->ntags; i++) {
        pawl_buffer_append_str(buffer, i == 0 ? ",\"tags\":[" : ",");
        pawl_json_write_string(buffer, view->tags[i], strlen(view->tags[i]));
    }
    pawl_buffer_append_char(buffer, ']');
}

void
pawl_json_write_head(struct pawl_buffer *buffer, const struct pawl_view *view)
{
    pawl_buffer_append(buffer, "{\"id\":", 6);
    pawl_json_write_string(buffer, view->id, view->id_len);

    char *at = pawl_buffer_reserve(buffer, HEAD_FIXED);

    if (at == NULL)
        return;
    at = put(put(at, ",\"taskType\":\""), pawl_type_name(view->type));
    at = put_int(put(at, "\",\"time\":"), view->time_ns);
    at = put(at, ",\"timezone\":");
    if (view->when == NULL) {
        at = put(put_local_zone(at), ",\"script\":");
        buffer->len = (size_t) (at - buffer->data);
    } else {
        buffer->len = (size_t) (at - buffer->data);
        pawl_json_write_when(buffer, view);
        pawl_buffer_append_str(buffer, ",\"script\":");
    }
    pawl_json_write_string(buffer, view->script, view->script_len);
    if (view->ntags > 0)
        write_tags(buffer, view);
    if (view->action != NULL)
        pawl_json_write_action(buffer, view->action);
    if (view->policy != NULL)
        pawl_json_write_policy(buffer, view->policy);

    at = pawl_buffer_reserve(buffer, HEAD_FIXED);
    if (at != NULL)
        buffer->len = (size_t) (put_state(at, view) - buffer->data);
}

static char *
put_outcome(char *at, const struct pawl_result *result)
{
    at = put(at, ",\"exitCode\":");
    at = result->exit_code < 0 ? put(at, "null") : put_int(at, result->exit_code);
    at = put_signal(put(at, ",\"signal\":"), result->signal);
    at = put(put(at, ",\"outcome\":\""), pawl_outcome_name(result->outcome));
    at = put_time(put(at, "\",\"scheduledFor\":"), result->scheduled_ns);
    at = put_time(put(at, ",\"startedAt\":"), result->started_ns);
    at = put_int(put(at, ",\"durationNs\":"), result->duration_ns);
    at = put_int(put(at, ",\"attempt\":"), result->attempt);
    at = put_uint(put(at, ",\"run\":"), result->run);
    if (result->http_status > 0)
        at = put_int(put(at, ",\"httpStatus\":"), result->http_status);
    return put(at, result->truncated ? ",\"truncated\":true" : ",\"truncated\":false");
}

void
pawl_json_write_result(struct pawl_buffer *buffer, const struct pawl_result *result)
{
    char *at = pawl_buffer_reserve(buffer, RESULT_FIXED);

    if (at == NULL)
        return;
    at = put_time(put(at, "{\"timestamp\":"), result->ended_ns);
    at = put(at, ",\"result\":");
    buffer->len = (size_t) (at - buffer->data);
    pawl_json_write_string(buffer, result->out, result->out_len);
    pawl_buffer_append(buffer, ",\"stderr\":", 10);
    pawl_json_write_string(buffer, result->err, result->err_len);

    at = pawl_buffer_reserve(buffer, RESULT_FIXED);
    if (at == NULL)
        return;
    buffer->len = (size_t) (put_outcome(at, result) - buffer->data);
    if (result->error != NULL) {
        pawl_buffer_append(buffer, ",\"error\":", 9);
        pawl_json_write_string(buffer, result->error, strlen(result->error));
    }
    pawl_buffer_append_char(buffer, '}');
}

void
pawl_json_write_tail(struct pawl_buffer *buffer)
{
    pawl_buffer_append(buffer, "]}", 2);
}

void
pawl_json_write_task(struct pawl_buffer *buffer, const struct pawl_view *view,
                     size_t newest)
{
    size_t first = view->nresults > newest ? view->nresults - newest : 0;

    pawl_json_write_head(buffer, view);
    for (size_t i = first; i < view->nresults; i++) {
        if (i > first)
            pawl_buffer_append_char(buffer, ',');
        pawl_json_write_result(buffer, view->results[i]);
    }
    pawl_json_write_tail(buffer);
}
