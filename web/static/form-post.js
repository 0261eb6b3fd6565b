// Sends the answer of step 2 on to the app by itself. Without scripts the person
// presses the button of the page (pages/form-post.html).
document.getElementById("form-post").submit();
