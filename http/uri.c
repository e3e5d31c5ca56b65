/* uri.c: see uri.h. */
#include "uri.h"

#include <string.h>
#include <strings.h>

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes text[0..len) in place; false for an escape that is none. */
static bool
decode(char *text, size_t len, bool plus_is_space, struct pawl_text *out)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text[i + 2]) : -1;

            if (low < 0)
                return false;
            c = (char) (high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        text[n++] = c;
    }
    out->text = text;
    out->len = n;
    return true;
}

/* Splits the path, which starts with a slash, at its slashes and decodes the pieces. */
static const char *
parse_path(char *path, size_t len, struct pawl_uri *uri)
{
    char *end = path + len;

    if (len > 1 && end[-1] == '/')
        end--;
    if (end - path == 1)
        return NULL;
    while (path < end) {
        char *start = path + 1;
        char *slash = memchr(start, '/', (size_t) (end - start));

        path = slash != NULL ? slash : end;
        if (uri->nsegments >= PAWL_URI_SEGMENTS) {
            uri->nsegments = PAWL_URI_SEGMENTS + 1;
            return NULL;
        }
        if (!decode(
                start, (size_t) (path - start), false, &uri->segments[uri->nsegments++]))
            return "the path has a '%' that is not followed by two hexadecimal digits: "
                   "write a '%' itself as %25";
    }
    return NULL;
}

static const char *
parse_query(char *query, size_t len, struct pawl_uri *uri)
{
    char *end = query + len;

    while (query < end) {
        char *amp = memchr(query, '&', (size_t) (end - query));
        char *stop = amp != NULL ? amp : end;
        char *equals = memchr(query, '=', (size_t) (stop - query));
        char *name_end = equals != NULL ? equals : stop;
        char *value = equals != NULL ? equals + 1 : stop;
        struct pawl_param *param = &uri->params[uri->nparams];

        if (stop > query) {
            if (uri->nparams == PAWL_URI_PARAMS)
                return "the query has more than 32 parameters";
            if (!decode(query, (size_t) (name_end - query), true, &param->name) ||
                !decode(value, (size_t) (stop - value), true, &param->value))
                return "the query has a '%' that is not followed by two hexadecimal "
                       "digits: "
                       "write a '%' itself as %25";
            uri->nparams++;
        }
        query = stop + 1;
    }
    return NULL;
}

/* The absolute form, which proxies are sent: takes scheme and authority off the front. */
static const char *
skip_authority(char *target, size_t len, struct pawl_uri *uri)
{
    size_t scheme = len >= 7 && strncasecmp(target, "http://", 7) == 0 ? 7
        : len >= 8 && strncasecmp(target, "https://", 8) == 0          ? 8
                                                                       : 0;
    size_t n;

    if (scheme == 0)
        return target;
    for (n = scheme; n < len && target[n] != '/' && target[n] != '?'; n++)
        ;
    uri->authority.text = target + scheme;
    uri->authority.len = n - scheme;
    return target + n;
}

const char *
pawl_uri_parse(char *target, size_t len, struct pawl_uri *out_uri)
{
    char *end = target + len, *path, *query;
    const char *wrong = NULL;

    out_uri->authority = (struct pawl_text){NULL, 0};
    out_uri->nsegments = out_uri->nparams = 0;
    path = target + (skip_authority(target, len, out_uri) - target);
    query = memchr(path, '?', (size_t) (end - path));
    if (query == NULL)
        query = end;
    if (path < query && *path != '/')
        return "the target of the request must be a path that starts with '/'";
    if (path < query)
        wrong = parse_path(path, (size_t) (query - path), out_uri);
    if (wrong == NULL && query < end)
        wrong = parse_query(query + 1, (size_t) (end - query) - 1, out_uri);
    return wrong;
}

const struct pawl_text *
pawl_uri_param(const struct pawl_uri *uri, const char *name)
{
    for (size_t i = 0; i < uri->nparams; i++)
        if (pawl_text_is(&uri->params[i].name, name))
            return &uri->params[i].value;
    return NULL;
}

bool
pawl_text_is(const struct pawl_text *text, const char *str)
{
    return strlen(str) == text->len && memcmp(text->text, str, text->len) == 0;
}

void
pawl_uri_encode(struct pawl_buffer *buffer, const char *text, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char) text[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("-._~", c) != NULL))
            pawl_buffer_append_char(buffer, (char) c);
        else
            pawl_buffer_append(buffer, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
}
