"""Files that lie in a bucket or on a server, through fsspec, behind one typed seam."""
