module gstacks/loadgen

go 1.26.0
