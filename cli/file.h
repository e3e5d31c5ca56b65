/* file.h: a whole file, or stdin, as a text: a script, the body of a request. One thread. */
#ifndef PAWL_FILE_H
#define PAWL_FILE_H

#include "client.h"
#include "text.h"

/* Appends what is in the file ("-": stdin), up to far more than the daemon takes; what: the
 * word for it in messages, such as "a script". Returns the exit status. */
int pawl_file_read(
    const char *file, const char *what, struct pawl_text *out, struct pawl_fail *fail);

#endif
