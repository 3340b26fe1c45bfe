// Arrays of somebody else's, and spikes as events: what the integer and the float engine share.
#pragma once
#include <cstdint>
#include <vector>

namespace neuro_lif {

// An array that somebody else owns; the caller keeps it alive.
struct View {
    const void* data = nullptr;
    int width = 0;         // bytes of an element
    bool is_signed = true;
    int64_t at(int64_t i) const {
        switch (width) {
            case 1: return is_signed ? int64_t(static_cast<const int8_t*>(data)[i])
                                     : int64_t(static_cast<const uint8_t*>(data)[i]);
            case 2: return is_signed ? int64_t(static_cast<const int16_t*>(data)[i])
                                     : int64_t(static_cast<const uint16_t*>(data)[i]);
            case 4: return is_signed ? int64_t(static_cast<const int32_t*>(data)[i])
                                     : int64_t(static_cast<const uint32_t*>(data)[i]);
            default: return static_cast<const int64_t*>(data)[i];
        }
    }
};

struct Feed {
    bool to_source = false;
    int index = 0, port = 0;      // source, or population and port
    int place = 0;                // among what arrives at a port of events
    View data;                    // (batch or 1, steps, n)
    int64_t sample_stride = 0, step_stride = 0, n_steps = 0, n = 0;
    int64_t first = 0;            // which row of the run its first one is
    bool has(int64_t row) const { return row >= first && row - first < n_steps; }
    // Where the numbers of a row of the run begin.
    int64_t at(int sample, int64_t row) const {
        return sample * sample_stride + (row - first) * step_stride;
    }
};

struct Spikes {
    std::vector<uint32_t> counts;  // [step] how many there were
    std::vector<uint16_t> narrow;  // who, by step: numbers that fit 16 bits,
    std::vector<uint32_t> wide;    // or others
    std::vector<int64_t> value;    // empty as long as all of them are 1
    size_t size() const { return narrow.empty() ? wide.size() : narrow.size(); }
    static bool fit_narrow(int n_neurons) { return n_neurons <= 1 << 16; }
    // Add those of the next step.
    void add(const uint32_t* who, size_t n, bool is_narrow) {
        counts.push_back(uint32_t(n));
        if (is_narrow)
            narrow.insert(narrow.end(), who, who + n);
        else
            wide.insert(wide.end(), who, who + n);
    }
    // The same, where each of all neurons sent so many as sent[it] says.
    void add(const uint32_t* who, size_t n, bool is_narrow, const double* sent) {
        add(who, n, is_narrow);
        if (value.empty() && n) value.resize(size() - n, 1);
        for (size_t k = 0; k < n; k++) value.push_back(int64_t(sent[who[k]]));
    }
};

// Ask for the memory of synapses from `first` on, early. weights: null data where there are none.
inline void fetch_row(const View& targets, const View& weights, int64_t first, int64_t last) {
    const char* posts = static_cast<const char*>(targets.data) + first * targets.width;
    const char* end = static_cast<const char*>(targets.data) + last * targets.width;
    const char* most = posts + 1024;
    for (const char* at = posts; at < end && at < most; at += 64) __builtin_prefetch(at);
    if (!weights.data) return;
    const char* values = static_cast<const char*>(weights.data) + first * weights.width;
    end = static_cast<const char*>(weights.data) + last * weights.width;
    most = values + 1024;
    for (const char* at = values; at < end && at < most; at += 64) __builtin_prefetch(at);
}

// The synapses of a row have one weight.
template <class T, class P>
inline void add_same(T* __restrict out, const P* __restrict posts, int64_t first, int64_t last,
                     T weight) {
    for (int64_t k = first; k < last; k++) out[posts[k]] += weight;
}

}  // namespace neuro_lif
