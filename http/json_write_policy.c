/* json_write_policy.c: what a task document says of what happens when something is in the way; any
 * thread. A submit takes it as it stands; what is as by default is left out. */
#include "json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of their enumerations. */
static const char *const overlap_names[] = {"skip", "queue", "replace", "allow"};
static const char *const misfire_names[] = {"once", "skip", "all"};
static const char *const overflow_names[] = {"wait", "skip"};

static void
write_name(struct pawl_buffer *buffer, const char *name, const char *text)
{
    pawl_buffer_append_str(buffer, name);
    pawl_json_write_string(buffer, text, strlen(text));
}

static void
write_number(struct pawl_buffer *buffer, const char *name, int64_t value, int64_t usual)
{
    if (value == usual)
        return;
    pawl_buffer_append_str(buffer, name);
    pawl_json_write_int(buffer, value);
}

/* With as few digits as give the same number again. */
static void
write_backoff(struct pawl_buffer *buffer, double backoff, double usual)
{
    char text[32];

    if (backoff == usual)
        return;
    for (int digits = 3; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, backoff);
        if (strtod(text, NULL) == backoff)
            break;
    }
    pawl_buffer_append_str(buffer, ",\"retryBackoff\":");
    pawl_buffer_append_str(buffer, text);
}

static void
write_exit_codes(struct pawl_buffer *buffer, const uint8_t *codes)
{
    size_t n = 0;

    for (int code = 0; code < 256; code++)
        if (codes[code / 8] >> code % 8 & 1) {
            pawl_buffer_append_str(buffer, n++ == 0 ? ",\"retryOn\":[" : ",");
            pawl_json_write_int(buffer, code);
        }
    if (n > 0)
        pawl_buffer_append_char(buffer, ']');
}

void
pawl_json_write_policy(struct pawl_buffer *buffer, const struct pawl_policy *policy)
{
    struct pawl_policy usual;

    pawl_policy_init(&usual);
    if (policy->overlap != usual.overlap)
        write_name(buffer, ",\"overlap\":", overlap_names[policy->overlap]);
    write_number(buffer, ",\"queueLimit\":", policy->queue_limit, usual.queue_limit);
    write_number(buffer, ",\"maxRunning\":", policy->max_running, usual.max_running);
    if (policy->misfire != usual.misfire)
        write_name(buffer, ",\"misfire\":", misfire_names[policy->misfire]);
    write_number(buffer, ",\"misfireGrace\":", policy->misfire_grace_ns, usual.misfire_grace_ns);
    write_number(buffer, ",\"misfireLimit\":", policy->misfire_limit, usual.misfire_limit);
    write_number(buffer, ",\"retries\":", policy->retries, usual.retries);
    write_number(buffer, ",\"retryDelay\":", policy->retry_delay_ns, usual.retry_delay_ns);
    write_backoff(buffer, policy->retry_backoff, usual.retry_backoff);
    write_number(
        buffer, ",\"retryMaxDelay\":", policy->retry_max_delay_ns, usual.retry_max_delay_ns);
    write_number(buffer, ",\"retryJitter\":", policy->retry_jitter_ns, usual.retry_jitter_ns);
    write_exit_codes(buffer, policy->retry_on);
    if (policy->group[0] != '\0')
        write_name(buffer, ",\"group\":", policy->group);
    if (policy->group_overflow != usual.group_overflow)
        write_name(buffer, ",\"groupOverflow\":", overflow_names[policy->group_overflow]);
}
