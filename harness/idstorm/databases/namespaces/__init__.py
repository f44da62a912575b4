"""The namespaces that storms make for themselves: how they are named, marked, held, found again and removed."""
