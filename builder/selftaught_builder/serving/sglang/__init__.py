"""SGLang, in an environment of its own: started by us or found running, and given each round's weights."""
