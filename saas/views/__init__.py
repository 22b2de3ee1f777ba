"""HTTP only: a view reads, asks one service and answers."""
