"""The loop of STaR (arXiv 2203.14465): sample, verify, rationalize, verify, export, train, evaluate; and round again."""
