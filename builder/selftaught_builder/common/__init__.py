"""What every room may use, and what uses none of them: errors, keys, names, paths, and safe writing."""
