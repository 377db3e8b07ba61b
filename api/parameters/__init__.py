"""What each operation takes beside its body: query parameters, headers, and names in the path."""
