module github.com/symbolon/symbolon

go 1.26
