/* editor.h: a text that a person changes in an editor. Used by one thread. */
#ifndef PAWL_EDITOR_H
#define PAWL_EDITOR_H

#include "client.h"

/* A file of one's own, in the place for temporary ones. */
struct pawl_editor {
    char path[4096]; /* empty: there is none */
};

/* Writes text into the file (made by the first call), lets $VISUAL or $EDITOR (vi) change it, and
 * reads it into text; what can be read of it when the editor failed, too. Blocks: until the editor ends. Returns the exit status. */
int pawl_editor_open(
    struct pawl_editor *editor, struct pawl_text *text, struct pawl_fail *fail);

/* Removes the file. */
void pawl_editor_remove(struct pawl_editor *editor);

#endif
