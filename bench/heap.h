// heap.h: the rival of the timing wheel: an implicit d-ary heap of {due, timer} with the
// place of each timer, so that cancelling needs no search. Single-threaded, like the
// wheel.
#ifndef PAWL_BENCH_HEAP_H
#define PAWL_BENCH_HEAP_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

template <unsigned Arity> class TimerHeap
{
  public:
    std::uint32_t insert(std::int64_t due, void *item)
    {
        std::uint32_t timer;

        if (free_.empty()) {
            timer = static_cast<std::uint32_t>(records_.size());
            records_.push_back({item, 0});
        } else {
            timer = free_.back();
            free_.pop_back();
            records_[timer].item = item;
        }
        nodes_.push_back({due, timer});
        climb(nodes_.size() - 1, {due, timer});
        return timer;
    }

    void *cancel(std::uint32_t timer)
    {
        remove(records_[timer].place);
        free_.push_back(timer);
        return records_[timer].item;
    }

    std::size_t expire(std::int64_t now, void **items, std::size_t max)
    {
        std::size_t n = 0;

        while (n < max && !nodes_.empty() && nodes_[0].due <= now)
            items[n++] = cancel(nodes_[0].timer);
        return n;
    }

    std::int64_t next() const
    {
        return nodes_.empty() ? INT64_MAX : nodes_[0].due;
    }

    std::size_t count() const
    {
        return nodes_.size();
    }

  private:
    struct Node {
        std::int64_t due;
        std::uint32_t timer;
    };
    struct Record {
        void *item;
        std::size_t place; // in nodes_
    };

    void put(std::size_t place, Node node)
    {
        nodes_[place] = node;
        records_[node.timer].place = place;
    }

    void climb(std::size_t place, Node node)
    {
        while (place > 0) {
            std::size_t parent = (place - 1) / Arity;

            if (nodes_[parent].due <= node.due)
                break;
            put(place, nodes_[parent]);
            place = parent;
        }
        put(place, node);
    }

    void sink(std::size_t place, Node node)
    {
        for (;;) {
            std::size_t first = place * Arity + 1;
            std::size_t last = std::min(first + Arity, nodes_.size());
            std::size_t least = first;

            if (first >= nodes_.size())
                break;
            for (std::size_t child = first + 1; child < last; child++) {
                if (nodes_[child].due < nodes_[least].due)
                    least = child;
            }
            if (nodes_[least].due >= node.due)
                break;
            put(place, nodes_[least]);
            place = least;
        }
        put(place, node);
    }

    void remove(std::size_t place)
    {
        Node last = nodes_.back();
        std::int64_t due = nodes_[place].due;

        nodes_.pop_back();
        if (place == nodes_.size())
            return;
        if (last.due < due)
            climb(place, last);
        else
            sink(place, last);
    }

    std::vector<Node> nodes_;
    std::vector<Record> records_;
    std::vector<std::uint32_t> free_;
};

#endif
