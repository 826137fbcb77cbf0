// A step of DIN, its loss and the gradients of all its weights: the other kernels in turn.
//
// To call each from Python, under autograd, takes a quarter of a step of the usual size.

#include "calls.h"
#include "common.h"

#define PIECES 16

// What a step works in, given back at its end.
typedef struct {
    float *memory[PIECES];
    int64_t count;
} scratch;

static float *take(scratch *s, int64_t size) {
    if (s->count == PIECES) abort();
    return s->memory[s->count++] = room(size);
}

// Numbers that a row has in hidden layers, with room for whole vectors.
static int64_t hidden_size(int64_t layers, const int64_t *widths) {
    int64_t size = 0;
    for (int64_t l = 1; l <= layers; l++) size += padded_wide(widths[l]);
    return size;
}

// As of the kernels in turn: tables, with the places of what histories, (groups, slots), and then candidates, (groups,
// candidates), hold; networks of the unit and the head; moments, which are moved. `of_`: gradients of all weights.
// Tells in `fit` whether all places are in the tables; if not, nothing else is done. loss (1,).
void din_gradients(int64_t groups, int64_t candidates, int64_t slots, const int64_t *lengths, int64_t tables,
                   const int64_t *sizes, const int64_t *widths, const int64_t *const *places, const int64_t *paddings,
                   const float *const *values, float *const *of_values, int64_t unit_layers, const int64_t *unit_widths,
                   const float *const *unit, float *const *of_unit, int64_t normalise, int64_t head_layers,
                   const int64_t *head_widths, const float *const *head, float *const *of_head, float *const *moments,
                   float epsilon, float momentum, int64_t head_threads, float *loss, int64_t *fit, int64_t threads) {
    const int64_t d = unit_widths[0], events = groups * slots, pairs = groups * candidates;
    int64_t valid = 0;
    for (int64_t b = 0; b < groups; b++) valid += lengths[b];
    scratch s = {.count = 0};
    float *const vectors[] = {take(&s, events * d), take(&s, pairs * d)}, *history = vectors[0], *queries = vectors[1];
    float *const of_vectors[] = {take(&s, events * d), take(&s, pairs * d)};
    float *again[] = {take(&s, events * d), take(&s, pairs * d)};
    float *interest[] = {take(&s, pairs * d)}, *of_interest[] = {take(&s, pairs * d)};
    float *hidden = take(&s, valid * candidates * hidden_size(unit_layers, unit_widths)), *weights = take(&s, pairs * slots);
    float *summaries = take(&s, groups * d), *inputs = take(&s, pairs * 4 * d), *of_inputs = take(&s, pairs * 4 * d);
    float *kept = take(&s, (3 * pairs + 2) * hidden_size(head_layers, head_widths));
    float *logits = take(&s, pairs), *of_logits = take(&s, pairs);

    gather(tables, sizes, widths, places, events, events + pairs, values, vectors, fit, threads);
    if (*fit) {
        activation_unit_forward(groups, candidates, slots, lengths, unit_layers, unit_widths, unit, queries, history,
                                NULL, normalise, hidden, weights, interest[0], threads);
        head_inputs_forward(groups, candidates, slots, d, lengths, queries, 1, &candidates, &d, summaries, history,
                            (const float *const *)interest, inputs, threads);
        prediction_head_forward(pairs, head_layers, head_widths, inputs, head, kept, moments, epsilon, momentum, logits,
                                head_threads);
        cross_entropy(groups, candidates, logits, loss, of_logits);
        prediction_head_backward(pairs, head_layers, head_widths, inputs, head, kept, of_logits, of_head, of_inputs,
                                 head_threads);
        head_inputs_backward(groups, candidates, slots, d, lengths, queries, 1, &candidates, &d, summaries, of_inputs,
                             of_vectors[1], of_vectors[0], of_interest, threads);
        activation_unit_backward(groups, candidates, slots, lengths, unit_layers, unit_widths, unit, queries, history,
                                 NULL, normalise, hidden, weights, of_interest[0], NULL, of_unit, again[1], again[0],
                                 NULL, threads);
        add(events * d, again[0], of_vectors[0]);
        add(pairs * d, again[1], of_vectors[1]);
        gather_backward(tables, sizes, widths, places, events, events + pairs, paddings, of_vectors, of_values);
    }
    while (s.count) free(s.memory[--s.count]);
}
