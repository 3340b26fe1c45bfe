// What shape a convolution has, from its tables.
#include "conv.hpp"

namespace neuro_lif {

// A window: the places of one row of the kernel, all of them, lead to places that follow each
// other, and the next place of the spikes to the next ones. Else 0.
void Conv::find_window() {
    window = 0;
    const int places = full / channels;
    if (groups != 1 || (places != 3 && places != 5)) return;
    for (int at = 0; at < y_in && !window; at++)  // a place that uses the whole row
        if (run_start[at + 1] == run_start[at] + 1 && runs[3 * run_start[at] + 2] == full &&
            runs[3 * run_start[at]] == 0) {
            window = places;
            lead = runs[3 * run_start[at] + 1] / channels - at;
        }
    for (int at = 0; at < y_in && window; at++) {
        const int first = at + lead < 0 ? 0 : at + lead;
        const int last = at + lead + places < y ? at + lead + places : y;
        const uint32_t n = run_start[at + 1] - run_start[at];
        const int32_t* run = runs + 3 * run_start[at];
        const bool as_said = first >= last ? n == 0
                                           : n == 1 && run[0] == (first - at - lead) * channels &&
                                                 run[1] == first * channels && run[2] == (last - first) * channels;
        if (!as_said) window = 0;
    }
}

}  // namespace neuro_lif
