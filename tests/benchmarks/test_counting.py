import torch

from benchmarks.counting import ByteCounter, count


def moved(work):
    with ByteCounter() as counter:
        work()
    return counter.bytes


def test_operations_and_bytes_of_a_matrix_product_and_its_gradient():
    a, b = torch.rand(8, 16, requires_grad=True), torch.rand(16, 4)

    def work():
        a.grad = None
        (a @ b).backward(torch.ones(8, 4))

    demand = count(work)
    forward, backward = 2 * 8 * 16 * 4, 2 * 8 * 4 * 16
    assert demand.operations == forward + backward
    products = 2 * 4 * (8 * 16 + 16 * 4 + 8 * 4)  # each reads two of the three matrices, and writes the third
    ones = 4 * 8 * 4
    assert demand.bytes == products + ones


def test_bytes_are_read_and_written():
    a, b = torch.rand(100), torch.rand(100)
    assert moved(lambda: a + b) == 3 * 400
    assert moved(lambda: a.add_(b)) == 3 * 400
    assert moved(lambda: torch._foreach_add_([a, b], 1.0)) == 4 * 400


def test_views_and_empty_tensors_cost_nothing():
    a = torch.rand(10, 10)
    assert moved(lambda: a.T[2:].unsqueeze(0).expand(5, 8, 10).detach()) == 0
    assert moved(lambda: torch.empty_like(a)) == 0


def test_a_broadcast_tensor_counts_once():
    a = torch.rand(10).expand(1000, 10)
    assert moved(a.exp) == 40 + 40_000


def test_a_lookup_reads_the_rows_it_finds():
    table, rows = torch.rand(1000, 4), torch.tensor([3, 7])
    assert moved(lambda: torch.nn.functional.embedding(rows, table)) == 2 * (2 * 16) + 16
    assert moved(lambda: table[rows]) == 2 * (2 * 16) + 16
