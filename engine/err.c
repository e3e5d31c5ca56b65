/* err.c: filling in a struct pawl_err. */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>

int
pawl_err_set(struct pawl_err *err, int code, const char *field, const char *format, ...)
{
    if (err) {
        va_list args;

        err->code = code;
        err->field = field;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return code;
}
