/* json_write_action.c: what a task document says of how its script is run, or of what is called; any thread. A
 * submit takes it as it stands; what was not given is left out. */
#include "json_write.h"

#include <stdio.h>
#include <string.h>

static void
write_text(struct pawl_buffer *buffer, const char *name, const char *text)
{
    if (text == NULL)
        return;
    pawl_buffer_append_str(buffer, name);
    pawl_json_write_string(buffer, text, strlen(text));
}

static void
write_args(struct pawl_buffer *buffer, const char *const *args)
{
    for (size_t i = 0; args != NULL && args[i] != NULL; i++) {
        pawl_buffer_append_str(buffer, i == 0 ? ",\"args\":[" : ",");
        pawl_json_write_string(buffer, args[i], strlen(args[i]));
    }
    if (args != NULL)
        pawl_buffer_append_char(buffer, ']');
}

static void
write_env(struct pawl_buffer *buffer, const char *const *env)
{
    for (size_t i = 0; env != NULL && env[i] != NULL; i++) {
        size_t len = strcspn(env[i], "=");

        pawl_buffer_append_str(buffer, i == 0 ? ",\"env\":{" : ",");
        pawl_json_write_string(buffer, env[i], len);
        write_text(buffer, ":", env[i] + len + 1);
    }
    if (env != NULL)
        pawl_buffer_append_char(buffer, '}');
}

/* Of "Name: value"; the value without the blanks around it. */
static void
write_headers(struct pawl_buffer *buffer, const char *const *headers)
{
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
        size_t len = strcspn(headers[i], ":");

        pawl_buffer_append_str(buffer, i == 0 ? ",\"headers\":{" : ",");
        pawl_json_write_string(buffer, headers[i], len);
        len += 1 + strspn(headers[i] + len + 1, " \t");
        write_text(buffer, ":", headers[i] + len);
    }
    if (headers != NULL)
        pawl_buffer_append_char(buffer, '}');
}

static void
write_codes(struct pawl_buffer *buffer, const struct pawl_http_call *http)
{
    char text[32];

    for (size_t i = 0; i < http->ncodes; i++) {
        snprintf(text, sizeof text, http->codes[i] < 10 ? "%s\"%dxx\"" : "%s%d",
                 i == 0 ? ",\"successCodes\":[" : ",", http->codes[i]);
        pawl_buffer_append_str(buffer, text);
    }
    if (http->ncodes > 0)
        pawl_buffer_append_char(buffer, ']');
}

static void
write_http(struct pawl_buffer *buffer, const struct pawl_http_call *http)
{
    write_text(buffer, ",\"action\":{\"http\":{\"url\":", http->url);
    write_text(buffer, ",\"method\":", http->method);
    write_headers(buffer, http->headers);
    if (http->body != NULL) {
        pawl_buffer_append_str(buffer, ",\"body\":");
        pawl_json_write_string(buffer, http->body, http->body_len);
    }
    write_codes(buffer, http);
    if (http->max_redirects >= 0) {
        pawl_buffer_append_str(buffer, ",\"maxRedirects\":");
        pawl_json_write_int(buffer, http->max_redirects);
    }
    pawl_buffer_append_str(buffer, "}}");
}

void
pawl_json_write_action(struct pawl_buffer *buffer, const struct pawl_action *action)
{
    char mode[16];

    write_text(buffer, ",\"interpreter\":", action->interpreter);
    write_args(buffer, action->args);
    write_env(buffer, action->env);
    write_text(buffer, ",\"cwd\":", action->cwd);
    if (action->umask >= 0) {
        snprintf(mode, sizeof mode, "%03o", (unsigned) action->umask);
        write_text(buffer, ",\"umask\":", mode);
    }
    if (action->timeout_ns > 0) {
        pawl_buffer_append_str(buffer, ",\"timeout\":");
        pawl_json_write_int(buffer, action->timeout_ns);
    }
    if (action->kill_grace_ns >= 0) {
        pawl_buffer_append_str(buffer, ",\"killGrace\":");
        pawl_json_write_int(buffer, action->kill_grace_ns);
    }
    write_text(buffer, ",\"condition\":", action->condition);
    if (action->kill_mode != PAWL_KILL_GROUP)
        write_text(buffer, ",\"killMode\":", pawl_kill_mode_name(action->kill_mode));
    if (action->http != NULL)
        write_http(buffer, action->http);
}
