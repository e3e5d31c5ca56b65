/* answer.h: what is inside an answer of the daemon: documents, lists, problems, links.
 * Pure. Calls that can fail return an exit status, as in client.h. */
#ifndef PAWL_ANSWER_H
#define PAWL_ANSWER_H

#include "client.h"

/* Reads the body as one JSON object. Owns: gives *out_document, json_decref(). */
int pawl_answer_document(
    const struct pawl_response *response, json_t **out_document, struct pawl_fail *fail);

/* Reads the next element of the body, a JSON array, from *position (0 at first), so that
 * only one element is decoded at a time. *out_element is NULL after the last.
 * Owns: gives *out_element, json_decref(). */
int pawl_answer_element(const struct pawl_response *response, size_t *position,
    json_t **out_element, struct pawl_fail *fail);

/* Turns an answer of status 400 or above into text and exit status. */
int pawl_answer_problem(const struct pawl_response *response, struct pawl_fail *fail);

/* Appends the query of the rel="next" target of a Link header's value (RFC 8288). */
void pawl_answer_next(const char *value, size_t len, struct pawl_text *out_query);

#endif
